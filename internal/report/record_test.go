package report

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A page written from the files of a run directory is the page that the run wrote.
func TestRecordGivesThePageAgain(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	dir, err := Create(filepath.Join(t.TempDir(), "run"))
	if err != nil {
		t.Fatal(err)
	}
	run := fakeRun()
	if err := dir.WriteConfig(run.Config); err != nil {
		t.Fatal(err)
	}
	if err := dir.WriteRecord(run); err != nil {
		t.Fatal(err)
	}
	for _, arm := range run.Arms { // as a run does, which appends
		if err := dir.AppendMetrics(run.pointsOf(arm.Name)); err != nil {
			t.Fatal(err)
		}
	}
	want, err := renderHTML(run)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		again, err := Open(dir.Path())
		if err != nil {
			t.Fatal(err)
		}
		read, err := again.Read()
		if err != nil {
			t.Fatal(err)
		}
		got, err := renderHTML(read)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s: the page differs", what)
		}
	}
	check("appended")
	appended, err := os.ReadFile(filepath.Join(dir.Path(), MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := dir.WriteMetrics(run.Points); err != nil {
		t.Fatal(err)
	}
	check("written whole")
	if whole, _ := os.ReadFile(filepath.Join(dir.Path(), MetricsFile)); !bytes.Equal(whole, appended) {
		t.Error("appending arm by arm and writing at once give different files")
	}
	f, err := os.OpenFile(filepath.Join(dir.Path(), MetricsFile), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"arm":"none","seed":1,"step":5050,"lo`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	check("with a line that a killed process did not finish")
}

// A folder that holds no run, or a broken one, gives a sentence that names the file.
func TestReadRefuses(t *testing.T) {
	if testing.Short() {
		t.Skip("one goroutine shows the race detector nothing")
	}
	sound := func(t *testing.T) string {
		dir, err := Create(filepath.Join(t.TempDir(), "run"))
		if err != nil {
			t.Fatal(err)
		}
		run := fakeRun()
		for _, err := range []error{dir.WriteConfig(run.Config), dir.WriteRecord(run), dir.WriteMetrics(run.Points)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		return dir.Path()
	}
	for _, c := range []struct {
		file, content, want string
	}{
		{RecordFile, "", "is missing"},
		{RecordFile, "{", "is not the record of a run"},
		{ConfigFile, "", "is missing"},
		{ConfigFile, "a: [", "is not YAML"},
		{MetricsFile, "{}\n{\n", "line 2"},
		{MetricsFile, strings.Repeat("x", mostRecord+1) + "\n", "cannot read"},
	} {
		path := filepath.Join(sound(t), c.file)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if c.content != "" {
			if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		dir, err := Open(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := dir.Read(); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s holding %.10q gives %v, want %q", c.file, c.content, err, c.want)
		}
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); err == nil || !strings.Contains(err.Error(), "cannot open run directory") {
		t.Errorf("a missing folder gives %v", err)
	}
	dir, err := Open(sound(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir.Path(), MetricsFile)); err != nil {
		t.Fatal(err)
	}
	if run, err := dir.Read(); err != nil || run.Arms[0].Finding == "" {
		t.Errorf("a run that was killed before its first evaluation: %v", err)
	}
}
