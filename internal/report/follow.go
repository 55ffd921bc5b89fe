package report

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
)

// Follower makes news of a run that goes on, for its page: what its script asks for under
// "events" where the page is live. The zero Follower is ready.
type Follower struct {
	shape string
	page  []byte
}

// News is an event that the page's script understands. One of a key takes the place of an
// older one of that key.
type News struct {
	Key, Event string
	Data       []byte // JSON, one line
}

// Events of a page.
const (
	newsPage = "page" // the page with other charts than it had, as when the first layer was seen
	newsArm  = "arm"  // an arm's curves
	newsRows = "rows" // the table's cells
	newsEnd  = "end"  // the whole page, which changes no more
)

// pageNews is a page for those that have another shape.
type pageNews struct {
	Shape string `json:"shape"`
	HTML  string `json:"html"`
}

type armNews struct {
	Index int       `json:"index"`
	Arm   armSeries `json:"arm"`
}

type cellNews struct {
	Text  string `json:"text"`
	Alarm bool   `json:"alarm"`
}

// News returns all that is to be known of the run so far.
func (f *Follower) News(run Run) ([]News, error) {
	run.Interrupted = true // so that arms say how far they are
	run.Summarize()
	points := pointsByArm(&run)
	d := pageData{Live: true}
	d.fillArms(&run, points)
	s := d.drawCharts(&run, points)
	if f.page == nil || s.Shape != f.shape {
		page, err := run.Page(true)
		if err != nil {
			return nil, err
		}
		if f.page, err = json.Marshal(pageNews{s.Shape, string(page.HTML)}); err != nil {
			return nil, err
		}
		f.shape = s.Shape
	}
	out := []News{{newsPage, newsPage, f.page}}
	var rows [][]cellNews
	for i, a := range d.Arms {
		data, err := json.Marshal(armNews{i, s.Arms[i]})
		if err != nil {
			return nil, err
		}
		out = append(out, News{fmt.Sprint(newsArm, i), newsArm, data})
		var row []cellNews
		for _, text := range a.cells(&d) {
			row = append(row, cellNews{text, false})
		}
		rows = append(rows, append(row, cellNews{a.Status, a.Alarm}))
	}
	data, err := json.Marshal(rows)
	return append(out, News{newsRows, newsRows, data}), err
}

// End returns the last news of a run: its page.
func (f *Follower) End(page Page) (News, error) {
	data, err := json.Marshal(pageNews{HTML: string(page.HTML)})
	return News{newsEnd, newsEnd, data}, err
}

// cells are what an arm's row of the table has before its status.
func (a *armData) cells(d *pageData) []string {
	out := []string{a.Seeds, a.Loss, a.Accuracy}
	if d.Chosen {
		out = append(out, a.Chosen)
	}
	if d.Reestimate {
		out = append(out, a.Again)
	}
	return append(out, a.Bias, a.Speed)
}

// shape is the same for pages with the same charts and columns.
func (s *series) shape(d *pageData) string {
	h := fnv.New64a()
	fmt.Fprintln(h, d.Chosen, d.Reestimate)
	for _, p := range s.Panels {
		fmt.Fprintf(h, "%q %s %s %d\n", p.Title, p.X, p.Joint, p.Lines)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}
