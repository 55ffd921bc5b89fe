package benchmarks

import (
	"context"
	"fmt"
	"path/filepath"

	"driftless/engine/program"
	"driftless/internal/report"
)

// validated evaluates every replica on the rows of validation: nil without any. The evaluation
// that an interrupt asks for has none, since nothing is to be chosen by it.
func (t *training) validated(ctx context.Context) ([]report.Validation, error) {
	if t.validate == nil || t.cut {
		return nil, nil
	}
	if err := t.session.Run(ctx, t.validate, 1); err != nil {
		return nil, err
	}
	out := make([]report.Validation, len(t.seeds))
	for r := range out {
		var err error
		if out[r].Loss, out[r].Accuracy, err = tested(t.session, r, t.held.N); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// stop ends a replica whose validation accuracy has not risen for as many evaluations as the
// patience: it runs nothing from then on.
func (t *training) stop(r int) error {
	ps := t.points[r]
	last := ps[len(ps)-1].Step
	best := report.Chosen(ps, int(t.seeds[r]))
	if t.cfg.Patience == 0 || best == nil || t.divergedAt[r] != nil || last >= t.cfg.Steps {
		return nil
	}
	since := 0
	for _, p := range ps {
		if p.Step > best.Step && p.Validation != nil {
			since++
		}
	}
	if since < t.cfg.Patience {
		return nil
	}
	t.stoppedAt[r] = &last
	return t.session.Write(program.StateNonFinite, r, []int64{int64(last)})
}

// wake lets replicas run again that were stopped early.
func (t *training) wake() error {
	for r, at := range t.stoppedAt {
		if at == nil {
			continue
		}
		if err := t.session.Write(program.StateNonFinite, r, []int64{-1}); err != nil {
			return err
		}
	}
	return nil
}

// keepBest keeps, beside the checkpoints, the weights of each seed whose validation accuracy is
// at its highest after this step.
func (t *training) keepBest(step int) error {
	if t.checkpoints == nil || t.validate == nil {
		return nil
	}
	for r, seed := range t.seeds {
		if best := report.Chosen(t.points[r], int(seed)); best == nil || best.Step != step {
			continue
		}
		c := t.checkpoints
		c.best[seed] = t.save(filepath.Join(c.folder, bestName(c.arm, seed)), r, step)
		if err := c.best[seed]; err != nil && c.unkept != nil {
			c.unkept(err)
		}
	}
	return nil
}

// BestWeights lists the files of a run directory that hold the weights which validation chose.
func BestWeights(runDir string) []string {
	files, _ := filepath.Glob(filepath.Join(runDir, CheckpointFolder, bestPattern)) // its only error is of the pattern
	return files
}

const bestPattern = "arm*-seed*-best.safetensors"

// bestName is the file of the weights that the validation accuracy of a seed chooses. Arms are
// counted from 1.
func bestName(arm int, seed int64) string {
	return fmt.Sprintf("arm%d-seed%d-best.safetensors", arm, seed)
}
