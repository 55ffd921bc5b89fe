package report

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"strings"
)

//go:embed report.tmpl
var pageText string

//go:embed report.css
var styleText string

//go:embed report.js
var scriptText string

var page = template.Must(template.New("report").Parse(pageText))

// pageData is what the template shows; everything in it is ready to print.
type pageData struct {
	Beside          bool // the run's files lie beside the page
	Title, Subtitle string
	Policy          string
	Style, Script   template.HTML // whole elements
	Series          template.HTML
	Live            bool
	Synthetic       bool
	Interrupted     bool
	Unfinished      []string // how far arms came in an interrupted run
	Conditions      []condition
	Command         string

	Arms       []armData
	Chosen     bool // some arm has a test accuracy that its validation accuracy chose
	Reestimate bool // some arm was evaluated with re-estimated statistics
	Toggles    bool // more than one arm: curves can be switched off

	Thresholds     []string // keys of Arm.StepsTo
	ThresholdNames []string

	BySteps, BySeconds []chartData
	Layers             []chartData // bias charts, then weight charts
	Percentiles        []chartData
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

// chartData is a chart as it stands without the script, and its number in the series.
type chartData struct {
	Panel int
	SVG   template.HTML
}

// armData is one arm's rows and finding.
type armData struct {
	Index, Colour, Dash     int
	Name                    string
	Words                   []string // of the name: between them a line may break
	Seeds, Loss             string
	Accuracy, Chosen, Again string
	Bias, Speed             string
	Status                  string
	Alarm                   bool // the status is not "complete"
	Steps                   []string
	Finding                 string
}

// Page is a page and its content security policy, which it holds as well.
type Page struct {
	HTML   []byte
	Policy string
}

// Page draws report.html. Live is for a page that is served while its run trains: it asks for
// news. The page is also well-formed XML, which keeps it easy to check and to process.
func (r Run) Page(live bool) (Page, error) {
	r.Interrupted = r.Interrupted || live // so that arms say how far they are
	points := pointsByArm(&r)
	d := pageData{
		Title:       r.Title,
		Subtitle:    joinNonEmpty(" · ", r.Data, r.Net, r.optimizerText(), r.batchText(), r.seedsText(), r.Device),
		Live:        live,
		Synthetic:   r.Synthetic,
		Interrupted: r.Interrupted && !live,
		Conditions:  r.conditions(),
		Command:     r.Command,
		Toggles:     len(r.Arms) > 1,
		Beside:      !live && !slices.ContainsFunc(r.Arms, func(a Arm) bool { return a.of != nil }),

		PercentileUnit: r.PercentileUnit,
		PercentileRows: formatInt(r.PercentileRows),
	}
	if d.Title == "" {
		d.Title = "Training run"
	}
	d.fillArms(&r, points)
	s := d.drawCharts(&r, points)
	s.Live = live
	text, err := s.encode()
	if err != nil {
		return Page{}, err
	}
	d.Series = template.HTML(`<script type="application/json" id="data">` + text + `</script>`)
	style, code := styleText+paletteCSS()+d.switches(), "//<![CDATA[\n"+scriptText+"//]]>\n"
	d.Style, d.Script = template.HTML("<style>"+style+"</style>"), template.HTML("<script>"+code+"</script>")
	d.Policy = policy(style, code, live)
	d.Notes = notes(&r)
	if r.Config != nil {
		text, err := encodeYAML(r.Config)
		if err != nil {
			return Page{}, fmt.Errorf("configuration as YAML: %w", err)
		}
		d.Config = string(text)
	}
	var buf bytes.Buffer
	if err := page.Execute(&buf, d); err != nil {
		return Page{}, err
	}
	return Page{bytes.Map(printable, bytes.ToValidUTF8(buf.Bytes(), []byte("\ufffd"))), d.Policy}, nil
}

// policy is a content security policy that lets a page have this style and, where there is
// one, this script, and nothing else; live: and news from where it came from.
func policy(style, script string, live bool) string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	p := "default-src 'none'; style-src " + hash(style)
	if script != "" {
		p += "; script-src " + hash(script)
	}
	if live {
		p += "; connect-src 'self'"
	}
	return p + "; base-uri 'none'; form-action 'none'"
}

// switches are the rules by which an arm's box hides its curves, also where no script runs.
func (d *pageData) switches() string {
	var b strings.Builder
	if d.Toggles {
		for i := range d.Arms {
			fmt.Fprintf(&b, "body:has(#show-%d:not(:checked)) .arm-%[1]d { display: none; }\n"+
				"body:has(#show-%[1]d:not(:checked)) label[for=\"show-%[1]d\"] { opacity: .6; text-decoration: line-through; }\n", i)
		}
	}
	return b.String()
}

// printable replaces what XML has no place for: control characters.
func printable(r rune) rune {
	if r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == 0xfffe || r == 0xffff {
		return '\ufffd'
	}
	return r
}

// drawCharts draws every chart, and returns the numbers that the script draws them from.
func (d *pageData) drawCharts(run *Run, points [][]Point) series {
	s := newSeries(run, points)
	add := func(to *[]chartData, panels []panel, of ...int) {
		for i := range panels {
			j := -1
			if of != nil {
				j = of[i]
			}
			*to = append(*to, chartData{s.add(&panels[i], j), panels[i].svg()})
		}
	}
	bySteps := []panel{lossBySteps.panel(run, points), testLossBySteps.panel(run, points), accuracyBySteps.panel(run, points)}
	bySeconds := []panel{lossBySeconds.panel(run, points), testLossBySeconds.panel(run, points), accuracyBySeconds.panel(run, points)}
	if slices.ContainsFunc(run.Points, func(p Point) bool { return p.Validation != nil }) {
		bySteps = append(bySteps, validationLoss.panel(run, points), validationAccuracy.panel(run, points))
	}
	for _, losses := range [][]panel{bySteps[:2], bySeconds[:2]} {
		if lo, hi, ok := jointBounds(losses); ok {
			shareY(losses, "losses over "+losses[0].xLabel, lossBySteps.yAxis(lo, hi))
		}
	}
	add(&d.BySteps, bySteps)
	add(&d.BySeconds, bySeconds, 0, 1, 2)
	layers := 0
	for _, ps := range points {
		for _, p := range ps {
			layers = max(layers, len(p.BiasRMS), len(p.WeightRMS))
		}
	}
	for _, a := range s.Arms {
		if a.Thinned {
			d.Thinned = mostDrawn
		}
	}
	add(&d.Layers, layerPanels(run, points, layers, "bias, rms", func(p *Point) []float64 { return p.BiasRMS }, logScale))
	add(&d.Layers, layerPanels(run, points, layers, "weights, rms", func(p *Point) []float64 { return p.WeightRMS }, autoScale))
	d.Instruments = drawInstruments(run, points, add)
	if run.PercentileUnit != noUnit {
		panels, shared := percentilePanels(run, points)
		d.PercentilesShared = shared
		add(&d.Percentiles, panels)
	}
	s.Shape = s.shape(d)
	return s
}

func (d *pageData) fillArms(run *Run, points [][]Point) {
	for _, arm := range run.Arms {
		for _, key := range thresholdKeys(arm.StepsTo) {
			if !slices.Contains(d.Thresholds, key) {
				d.Thresholds = append(d.Thresholds, key)
			}
		}
		d.Chosen = d.Chosen || arm.Chosen.N > 0
		d.Reestimate = d.Reestimate || arm.TestAccuracyReestimated.N > 0
		d.Spread = d.Spread || len(arm.Seeds) > 1
		d.Diverged = d.Diverged || arm.diverged() > 0
	}
	slices.SortFunc(d.Thresholds, compareThresholds)
	for _, key := range d.Thresholds {
		d.ThresholdNames = append(d.ThresholdNames, thresholdName(key))
	}
	styles := armStyles(run.Arms)
	var losses, biases, speeds []float64
	for i := range run.Arms {
		arm := &run.Arms[i]
		losses, biases, speeds = append(losses, arm.FinalLoss.orNaN().Mean), append(biases, largest(arm.MaxAbsBias)), append(speeds, 1e3*arm.SecondsPerStep)
	}
	lossDecimals, biasDecimals, speedDecimals := decimals(losses), decimals(biases), decimals(speeds)
	for i := range run.Arms {
		arm := &run.Arms[i]
		a := armData{
			Index: i, Colour: styles[i].colour, Dash: styles[i].dash,
			Name: arm.Name, Words: words(arm.Name), Seeds: formatInt(len(arm.Seeds)),
			Loss: arm.FinalLoss.fixed(lossDecimals), Accuracy: arm.TestAccuracy.formatAccuracy(),
			Chosen: arm.Chosen.formatAccuracy(), Again: arm.TestAccuracyReestimated.formatAccuracy(), Bias: "—", Speed: "—",
			Finding: arm.Finding,
		}
		if len(arm.MaxAbsBias) > 0 {
			a.Bias = fixed(largest(arm.MaxAbsBias), biasDecimals)
			if arm.diverged() > 0 {
				a.Bias += "†"
				d.Survivors = true
			}
		}
		if arm.SecondsPerStep > 0 {
			a.Speed = fixed(1e3*arm.SecondsPerStep, speedDecimals)
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
		a.Status, a.Alarm = run.own(arm).status(arm, points[i])
		a.Alarm = a.Alarm && (!d.Live || arm.diverged() > 0) // a run that goes on is not yet complete
		if run.own(arm).unfinished(arm, points[i]) {
			d.Unfinished = append(d.Unfinished, arm.Name+" ("+a.Status+")")
		}
		d.Arms = append(d.Arms, a)
	}
}

// words splits an arm's name after its colons, commas and spaces.
func words(name string) (out []string) {
	start := 0
	for i, r := range name {
		if strings.ContainsRune(":, ", r) {
			out = append(out, name[start:i+1])
			start = i + 1
		}
	}
	return append(out, name[start:])
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
	stopped := ""
	if n := len(arm.stopped()); n > 0 {
		stopped = fmt.Sprintf("%d of %d stopped early", n, len(arm.Seeds))
	}
	if parts == nil {
		return cmp.Or(stopped, "complete"), false
	}
	return joinNonEmpty(", ", strings.Join(parts, ", "), stopped), true
}

// unfinished reports whether the interruption cut the arm short.
func (r *Run) unfinished(arm *Arm, points []Point) bool {
	if !r.Interrupted || len(arm.Seeds) > 0 && arm.diverged()+len(arm.stopped()) == len(arm.Seeds) {
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
	add("Precision", r.precisionText())
	if !r.Started.IsZero() {
		add("Started", r.Started.Format("2006-01-02 15:04:05 MST"))
	}
	add("Version", r.Version)
	return out
}

func (r *Run) precisionText() string {
	if r.Precision == "" {
		return ""
	}
	return "operands of matrix products rounded to " + r.Precision + ", sums in float32"
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
	return joinNonEmpty(", ", r.Optimizer, lr, r.Schedule)
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
	if run.Precision != "" {
		out = append(out, "Operands of matrix products were rounded to "+run.Precision+". The numbers are not those of float32, and may differ from one model of GPU to another: compare them with runs of the same precision and device.")
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
