package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func newsOf(t *testing.T, f *Follower, run Run) map[string]News {
	t.Helper()
	news, err := f.News(run)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]News{}
	for i, n := range news {
		if strings.ContainsAny(string(n.Data), "\n\r") {
			t.Errorf("news %s are more than a line", n.Key)
		}
		if (n.Event == newsPage) != (i == 0) { // before what needs its charts
			t.Errorf("news %d are %s", i, n.Key)
		}
		out[n.Key] = n
	}
	return out
}

// While a run goes on, news change for the arms that went on; the page is news where there
// are other charts.
func TestFollower(t *testing.T) {
	run := fakeRun()
	all := run.Points
	var f Follower
	run.Points = nil
	start := newsOf(t, &f, run)
	run.Points = all[:30] // of the first arm
	first := newsOf(t, &f, run)
	if string(start[newsPage].Data) == string(first[newsPage].Data) {
		t.Error("the charts of layers are no news")
	}
	run.Points = all[:60]
	second := newsOf(t, &f, run)
	for key, changes := range map[string]bool{newsPage: false, newsArm + "0": true, newsArm + "1": false, newsRows: true} {
		if changed := string(first[key].Data) != string(second[key].Data); changed != changes {
			t.Errorf("news %s: changed %v", key, changed)
		}
	}
	if len(second) != 2+len(run.Arms) {
		t.Errorf("%d news of %d arms", len(second), len(run.Arms))
	}
	var arm struct{ Arm armSeries }
	var rows [][]cellNews
	if err := json.Unmarshal(second[newsArm+"0"].Data, &arm); err != nil || len(arm.Arm.Steps) != 60 {
		t.Errorf("the arm has %d steps, %v", len(arm.Arm.Steps), err)
	}
	if err := json.Unmarshal(second[newsRows].Data, &rows); err != nil || len(rows) != 5 || rows[0][len(rows[0])-1] != (cellNews{Text: "2,950 of 5,000 steps"}) {
		t.Errorf("the rows are %v, %v", rows, err)
	}
	// A page that is drawn at this point has the numbers that are news, and as many cells as rows
	// have texts; it also has when a column comes to them.
	sameCells := func(rows [][]cellNews) Page {
		t.Helper()
		now := run
		now.Interrupted = true
		now.Summarize()
		page, err := now.Page(true)
		if err != nil {
			t.Fatal(err)
		}
		_, summary, _ := strings.Cut(string(page.HTML), "<tbody>")
		summary, _, _ = strings.Cut(summary, "</tbody>")
		if n := strings.Count(summary, "<td"); n != 5*len(rows[0]) {
			t.Errorf("the page has %d cells, of which %d are news", n, 5*len(rows[0]))
		}
		return page
	}
	page := sameCells(rows)
	if _, rest, _ := strings.Cut(string(second[newsArm+"0"].Data), `"arm":`); !strings.Contains(string(page.HTML), strings.TrimSuffix(rest, "}")) {
		t.Error("the page has not the arm's numbers")
	}
	run.Points = slices.Clone(run.Points)
	for i := range run.Points {
		run.Points[i].Validation = &Validation{1, 0.5}
	}
	third := newsOf(t, &f, run)
	if string(third[newsPage].Data) == string(second[newsPage].Data) {
		t.Error("a column more is no news")
	}
	if err := json.Unmarshal(third[newsRows].Data, &rows); err != nil {
		t.Fatal(err)
	}
	sameCells(rows)
}
