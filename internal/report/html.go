package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

//go:embed report.tmpl
var pageText string

//go:embed report.css
var styleText string

var page = template.Must(template.New("report").Parse(pageText))

// pageData is what the template shows; everything in it is ready to print.
type pageData struct {
	Title, Subtitle string
	Style           template.CSS
	Synthetic       bool
	Interrupted     bool
	Unfinished      []string // how far arms came in an interrupted run
	Conditions      []condition
	Command         string

	Arms       []armData
	Reestimate bool // some arm was evaluated with re-estimated statistics
	Toggles    bool // more than one arm: curves can be switched off

	Thresholds     []string // keys of Arm.StepsTo
	ThresholdNames []string

	BySteps, BySeconds []template.HTML
	Layers             []template.HTML // bias charts, then weight charts
	Percentiles        []template.HTML
	PercentilesShared  bool
	PercentileUnit     int
	PercentileRows     string
	Instruments        []instrumentData
	Spread             bool // some arm has more than one seed
	Diverged           bool // some seed diverged
	Survivors          bool // and others of its arm did not
	Thinned            int  // largest number of points drawn, 0 if all are

	Notes  []string
	Config string
}

type condition struct{ Name, Value string }

// armData is one arm's rows and finding.
type armData struct {
	Index, Colour, Dash int
	Name                string
	Seeds, Loss         string
	Accuracy, Again     string
	Bias, Speed         string
	Status              string
	Alarm               bool // the status is not "complete"
	Steps               []string
	Finding             string
}

// renderHTML draws report.html. The page is also well-formed XML, which keeps it
// easy to check and to process.
func renderHTML(run Run) ([]byte, error) {
	points := pointsByArm(&run)
	d := pageData{
		Title:       run.Title,
		Subtitle:    joinNonEmpty(" · ", run.Data, run.Net, run.Device),
		Style:       template.CSS(styleText),
		Synthetic:   run.Synthetic,
		Interrupted: run.Interrupted,
		Conditions:  run.conditions(),
		Command:     run.Command,
		Toggles:     len(run.Arms) > 1,

		PercentileUnit: run.PercentileUnit,
		PercentileRows: formatInt(run.PercentileRows),
	}
	if d.Title == "" {
		d.Title = "Training run"
	}
	d.fillArms(&run, points)
	d.drawCharts(&run, points)
	d.Notes = notes(&run)
	if run.Config != nil {
		text, err := encodeYAML(run.Config)
		if err != nil {
			return nil, fmt.Errorf("configuration as YAML: %w", err)
		}
		d.Config = string(text)
	}
	var buf bytes.Buffer
	if err := page.Execute(&buf, d); err != nil {
		return nil, err
	}
	return bytes.Map(printable, bytes.ToValidUTF8(buf.Bytes(), []byte("\ufffd"))), nil
}

// printable replaces what XML has no place for: control characters.
func printable(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0xfffe || r == 0xffff {
		return '\ufffd'
	}
	return r
}

func (d *pageData) drawCharts(run *Run, points [][]Point) {
	add := func(to *[]template.HTML, c chart) {
		p := c.panel(run, points)
		*to = append(*to, p.svg())
	}
	add(&d.BySteps, lossBySteps)
	add(&d.BySteps, accuracyBySteps)
	add(&d.BySeconds, lossBySeconds)
	add(&d.BySeconds, accuracyBySeconds)
	layers := 0
	for _, ps := range points {
		if len(ps) > mostDrawn {
			d.Thinned = mostDrawn
		}
		for _, p := range ps {
			layers = max(layers, len(p.BiasRMS), len(p.WeightRMS))
		}
	}
	biases := layerPanels(run, points, layers, "bias, rms", func(p *Point) []float64 { return p.BiasRMS }, logScale)
	weights := layerPanels(run, points, layers, "weights, rms", func(p *Point) []float64 { return p.WeightRMS }, autoScale)
	for _, p := range slices.Concat(biases, weights) {
		d.Layers = append(d.Layers, p.svg())
	}
	d.Instruments = drawInstruments(run, points)
	panels, shared := percentilePanels(run, points)
	d.PercentilesShared = shared
	for i := range panels {
		d.Percentiles = append(d.Percentiles, panels[i].svg())
	}
}

func (d *pageData) fillArms(run *Run, points [][]Point) {
	for _, arm := range run.Arms {
		for _, key := range thresholdKeys(arm.StepsTo) {
			if !slices.Contains(d.Thresholds, key) {
				d.Thresholds = append(d.Thresholds, key)
			}
		}
		d.Reestimate = d.Reestimate || arm.TestAccuracyReestimated.N > 0
		d.Spread = d.Spread || len(arm.Seeds) > 1
		d.Diverged = d.Diverged || arm.diverged() > 0
	}
	slices.SortFunc(d.Thresholds, compareThresholds)
	for _, key := range d.Thresholds {
		d.ThresholdNames = append(d.ThresholdNames, thresholdName(key))
	}
	styles := armStyles(run.Arms)
	for i := range run.Arms {
		arm := &run.Arms[i]
		a := armData{
			Index: i, Colour: styles[i].colour, Dash: styles[i].dash,
			Name: arm.Name, Seeds: formatInt(len(arm.Seeds)),
			Loss: arm.FinalLoss.formatLoss(), Accuracy: arm.TestAccuracy.formatAccuracy(),
			Again: arm.TestAccuracyReestimated.formatAccuracy(), Bias: "—", Speed: "—",
			Finding: arm.Finding,
		}
		if len(arm.MaxAbsBias) > 0 {
			a.Bias = formatNumber(largest(arm.MaxAbsBias))
			if arm.diverged() > 0 {
				a.Bias += "†"
				d.Survivors = true
			}
		}
		if arm.SecondsPerStep > 0 {
			a.Speed = formatNumber(1e3 * arm.SecondsPerStep)
		}
		for _, key := range d.Thresholds {
			cell := "—"
			if steps := arm.StepsTo[key]; steps != nil {
				cell = formatInt(*steps)
				if arm.SecondsPerStep > 0 {
					cell += " (" + formatSeconds(float64(*steps)*arm.SecondsPerStep) + ")"
				}
			}
			a.Steps = append(a.Steps, cell)
		}
		if a.Finding == "" {
			a.Finding = Finding(*run, arm.Name)
		}
		a.Finding = unbroken.Replace(a.Finding)
		a.Status, a.Alarm = run.status(arm, points[i])
		if run.unfinished(arm, points[i]) {
			d.Unfinished = append(d.Unfinished, arm.Name+" ("+a.Status+")")
		}
		d.Arms = append(d.Arms, a)
	}
}

// unbroken keeps "86.4 ± 0.3 %" on one line of the page.
var unbroken = strings.NewReplacer(" %", "\u00a0%", " ± ", "\u00a0±\u00a0")

// status says how an arm ended and whether that is other than complete.
func (r *Run) status(arm *Arm, points []Point) (string, bool) {
	if len(points) == 0 {
		return "did not run", true
	}
	var parts []string
	if n := arm.diverged(); n > 0 {
		parts = append(parts, fmt.Sprintf("%d of %s diverged", n, plural(len(arm.Seeds), "seed")))
	}
	if r.unfinished(arm, points) {
		parts = append(parts, fmt.Sprintf("%s of %s steps", formatInt(points[len(points)-1].Step), formatInt(r.Steps)))
	}
	if parts == nil {
		return "complete", false
	}
	return strings.Join(parts, ", "), true
}

// unfinished reports whether the interruption cut the arm short.
func (r *Run) unfinished(arm *Arm, points []Point) bool {
	if !r.Interrupted || (len(arm.Seeds) > 0 && arm.diverged() == len(arm.Seeds)) {
		return false
	}
	return len(points) == 0 || points[len(points)-1].Step < r.Steps
}

// conditions lists what the run was made under, leaving out what is not known.
func (r *Run) conditions() []condition {
	var out []condition
	add := func(name, value string) {
		if value != "" {
			out = append(out, condition{name, value})
		}
	}
	add("Data", r.Data)
	add("Network", r.Net)
	add("Optimizer", r.optimizerText())
	if r.Batch > 0 {
		add("Batch", plural(r.Batch, "example"))
	}
	if r.Steps > 0 {
		steps := formatInt(r.Steps)
		if r.EvalEvery > 0 {
			steps += ", evaluated every " + formatInt(r.EvalEvery)
		}
		add("Steps", steps)
	}
	add("Seeds", r.seedList())
	add("Device", r.Device)
	if !r.Started.IsZero() {
		add("Started", r.Started.Format("2006-01-02 15:04:05 MST"))
	}
	add("Version", r.Version)
	return out
}

func (r *Run) batchText() string {
	if r.Batch <= 0 {
		return ""
	}
	return "batch " + formatInt(r.Batch)
}

func (r *Run) optimizerText() string {
	lr := r.LRText()
	if lr != "" {
		lr = "learning rate " + lr
	}
	return joinNonEmpty(", ", r.Optimizer, lr)
}

// seeds returns the seeds of all arms in ascending order.
func (r *Run) seeds() []int {
	var seeds []int
	for _, arm := range r.Arms {
		seeds = append(seeds, arm.Seeds...)
	}
	slices.Sort(seeds)
	return slices.Compact(seeds)
}

func (r *Run) seedsText() string {
	switch seeds := r.seeds(); len(seeds) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("seed %d", seeds[0])
	default:
		return plural(len(seeds), "seed")
	}
}

func (r *Run) seedList() string { return formatInts(r.seeds()) }

// notes are the caveats that apply to this run.
func notes(run *Run) []string {
	var out []string
	naive, normalized, fewSeeds, timed := false, false, false, false
	for _, arm := range run.Arms {
		naive = naive || arm.Grad == GradNaive
		normalized = normalized || arm.Norm != NormNone
		fewSeeds = fewSeeds || len(arm.Seeds) < enoughSeeds
		timed = timed || arm.SecondsPerStep > 0
	}
	if run.Synthetic {
		out = append(out, "The data are generated. Accuracies on them say nothing about accuracies on real data.")
	}
	if naive {
		out = append(out,
			"A trained shift hides the drift. Where a learned shift (beta) follows the normalization, the bias and the shift receive the same gradient: when the shift settles, the bias stops growing. Unbounded growth needs an arm without it.",
			"The loss is not constant here. In a full network the weights still learn while the biases drift; “the loss stays fixed while the bias grows” (Ioffe and Szegedy 2015, section 2) holds exactly only for an isolated layer in which nothing but the bias is trained.",
			"Scaling makes it worse under a condition, not always: where the loss asks for smaller activations, or steps are large, the scale collapses or the biases run off faster than with centring alone. With small steps an arm that also scales can learn better than one that only centres.")
	}
	if normalized {
		out = append(out, "Test accuracy during training uses the arm's running statistics. These lag behind parameters that keep moving; where accuracy with re-estimated statistics was measured too, compare both before judging an arm.")
	}
	if fewSeeds && len(run.Arms) > 0 {
		out = append(out, fmt.Sprintf("Fewer than %d seeds: differences of less than half a point of accuracy are within the spread of single runs.", enoughSeeds))
	}
	if timed {
		note := "Seconds are steps times the arm's measured time per step of training"
		if run.Device != "" {
			note += " on " + run.Device
		}
		note += "; evaluation is not counted."
		if strings.Contains(run.Device, "virtual") {
			note += " A virtual device interprets its program: its seconds say nothing about a real one."
		}
		out = append(out, note)
	}
	return out
}
