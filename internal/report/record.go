package report

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"driftless/internal/atomicfile"

	"go.yaml.in/yaml/v3"
)

// RecordFile holds what a report needs besides the configuration and the metrics.
const RecordFile = "run.json"

// WriteRecord writes run.json. While a run goes on it says that the run was
// interrupted, which is true of every process that ends without writing it again.
func (d *Dir) WriteRecord(run Run) error {
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Join(d.path, RecordFile), err)
	}
	return d.WriteFile(RecordFile, append(data, '\n'))
}

// Open returns a run directory that is there already.
func Open(dir string) (*Dir, error) {
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot open run directory %s: %w", dir, atomicfile.Cause(err))
	case !info.IsDir():
		return nil, fmt.Errorf("%s is a file; name a run directory", dir)
	}
	return &Dir{path: dir}, nil
}

// mostRecord bounds what is read of run.json and config.yaml, and of one line of
// metrics.jsonl.
const mostRecord = 16 << 20

// Read returns the run that a directory holds: from run.json, config.yaml and
// metrics.jsonl, with results and findings made anew. A last line of metrics.jsonl
// that a killed process left unfinished is left out.
func (d *Dir) Read() (Run, error) {
	var run Run
	data, err := d.readFile(RecordFile)
	if err != nil {
		return run, err
	}
	if err := json.Unmarshal(data, &run); err != nil {
		return run, fmt.Errorf("%s is not the record of a run: %w", filepath.Join(d.path, RecordFile), err)
	}
	if data, err = d.readFile(ConfigFile); err != nil {
		return run, err
	}
	var config yaml.Node // which keeps the order of keys
	if err := yaml.Unmarshal(data, &config); err != nil {
		return run, fmt.Errorf("%s is not YAML: %w", filepath.Join(d.path, ConfigFile), err)
	}
	run.Config = &config
	if run.Points, err = d.readMetrics(); err != nil {
		return run, err
	}
	run.Summarize()
	return run, nil
}

func (d *Dir) readFile(name string) ([]byte, error) {
	path := filepath.Join(d.path, name)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing: %s holds no run of driftless train or compare", path, d.path)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, atomicfile.Cause(err))
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, mostRecord+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, atomicfile.Cause(err))
	}
	if len(data) > mostRecord {
		return nil, fmt.Errorf("%s has more than %d bytes: it is not a file of driftless", path, mostRecord)
	}
	return data, nil
}

func (d *Dir) readMetrics() ([]Point, error) {
	path := filepath.Join(d.path, MetricsFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // the run ended before its first evaluation
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, atomicfile.Cause(err))
	}
	defer f.Close()
	var out []Point
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, mostRecord)
	lines.Split(wholeLines)
	for n := 1; lines.Scan(); n++ {
		var p Point
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		out = append(out, p)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, atomicfile.Cause(err))
	}
	return out, nil
}

// wholeLines splits text into lines and drops a last one without its end.
func wholeLines(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}

// AppendMetrics adds points to metrics.jsonl, in whole lines, while a run goes on; what
// could be written of them is taken away again where not all could. WriteMetrics puts all
// of them into order at the run's end.
func (d *Dir) AppendMetrics(points []Point) error {
	data, err := encodeMetrics(points)
	if err != nil {
		return err
	}
	path := filepath.Join(d.path, MetricsFile)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, atomicfile.Cause(err))
	}
	info, err := f.Stat()
	if err == nil {
		if _, err = f.Write(data); err != nil { // half a line would spoil the next one
			err = errors.Join(err, f.Truncate(info.Size()))
		}
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", path, atomicfile.Cause(err))
	}
	return nil
}
