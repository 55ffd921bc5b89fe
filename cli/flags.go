package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"driftless/benchmarks"
	"driftless/dataset"
	"driftless/engine/optim"
	"driftless/kernels/gemm"
	"driftless/models"
	"driftless/models/norm"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// settings are the flags of the commands that train. The same names mean the
// same everywhere.
type settings struct {
	benchmarks.Config
	dataDir, out string
	json, affine bool
	plan         bool
	tensorboard  bool
	net, hidden  string
	norm, norms  string
	probes       string
	config       string // a configuration file
	resume       string // directory of a run to go on with
	live         string // where to serve the page while it trains; "": nowhere
	cast         *broadcast
	flags        *pflag.FlagSet
}

// register declares the flags of the commands that train and report.
func (s *settings) register(cmd *cobra.Command) {
	f := cmd.Flags()
	s.trained(cmd)
	f.StringVar(&s.config, "config", "", "file of settings, such as the config.yaml of a run; flags come before it")
	f.StringVar(&s.Optimizer, "optimizer", s.Optimizer, "sgd, momentum, adam or adamw")
	f.Var(optionalNumber(&s.Momentum), "momentum", "of the optimizer momentum (default 0.9)")
	f.Var(optionalBool(&s.Nesterov), "nesterov", "Nesterov's momentum (default false)")
	f.Lookup("nesterov").NoOptDefVal = "true"
	f.Var(optionalNumber(&s.Beta1), "beta1", "of adam and adamw (default 0.9)")
	f.Var(optionalNumber(&s.Beta2), "beta2", "of adam and adamw (default 0.999)")
	f.Var(optionalNumber(&s.ClipNorm), "clip-norm", "bound of the norm of all gradients of a step together (default none)")
	f.StringVar(&s.LRSchedule, "lr-schedule", "", "constant, step, cosine or linear; the last two end with the run (default constant)")
	f.Var(optionalInt(&s.LREvery), "lr-every", "steps between decays of the schedule step")
	f.Var(optionalNumber(&s.LRGamma), "lr-gamma", "what such a decay multiplies by (default 0.1)")
	f.Var(optionalNumber(&s.LREnd), "lr-end", "last rate of the schedules cosine and linear, as a share of --lr (default 0)")
	f.Var(optionalInt(&s.WarmUp), "warm-up", "steps in which the learning rate rises evenly to --lr (default 0)")
	f.Var(optionalNumber(&s.WeightDecay), "weight-decay", "as PyTorch defines it for each optimizer (default 0; adamw: 0.01)")
	f.IntVar(&s.Validation, "validation", 0, "training rows to hold out and choose by, the last ones: the best weights are kept (default none)")
	f.IntVar(&s.Patience, "patience", 0, "evaluations without a higher validation accuracy that end a seed early (default never)")
	f.IntVar(&s.CheckpointEvery, "checkpoint-every", 0, "steps between checkpoints, of which each arm's last two are kept (default: about 30 s of training)")
	f.StringVar(&s.resume, "resume", "", "directory of a run to go on with, from its last checkpoints; of the other flags only --"+strings.Join(stays[1:], ", --")+" go with it")
	f.IntVar(&s.EvalEvery, "eval-every", s.EvalEvery, "steps between evaluations on the test set")
	deviceFlag(cmd, &s.Device)
	precisionFlag(cmd, &s.Precision)
	probeFlag(cmd, &s.probes)
	tensorboardFlag(f, &s.tensorboard)
	f.StringVar(&s.out, "out", "", "run directory, new or empty (default: a new one under runs/)")
	liveFlag(f, &s.live)
	offer(cmd, "optimizer", optim.Names()...)
	offer(cmd, "lr-schedule", optim.ScheduleNames()...)
}

// trained declares the flags of what is trained, with their defaults.
func (s *settings) trained(cmd *cobra.Command) {
	f := cmd.Flags()
	s.flags = f
	dataFlags(cmd, &s.Data, &s.dataDir, s.Data)
	f.BoolVar(&s.Binarize, "binarize", s.Binarize, "pixels above 127 are 1, others 0; off, as for your own data unless you say so: pixel / 255; float features stay as they are")
	f.StringVar(&s.Grad, "grad", s.Grad, "how the gradient treats statistics where an arm does not say: naive (constants) or graph")
	f.BoolVar(&s.affine, "affine", false, "train gamma and beta after the normalization (default: the norm's)")
	for _, k := range []setting{
		{"stats", "source", "where naive statistics come from: batch, ema, sample or full (default batch)"},
		{"alpha", "rate", "rate of ema statistics, in (0, 1] (default 0.1)"},
		{"eps", "number", "added to the variance (default: the norm's)"},
		{"interval", "steps", "steps between refreshes of naive statistics (default: the norm's)"},
	} {
		f.Var(settingFlag{k, s}, k.key, k.help)
	}
	f.StringVar(&s.net, "net", benchmarks.DefaultNet, "layer sizes, or lenet, lenet:average, or channels of convolutions such as cnn:32,64")
	f.StringVar(&s.hidden, "hidden", "", "sizes of the hidden layers alone, such as 100,100,100, in place of --net")
	f.StringVar(&s.Activation, "activation", s.Activation, "sigmoid, relu or tanh")
	f.Float64Var(&s.InitSD, "init-sd", s.InitSD, "standard deviation of the initial weights")
	f.Float64Var(&s.LR, "lr", s.LR, "learning rate")
	f.IntVar(&s.Batch, "batch", s.Batch, "rows of a training batch")
	f.IntVar(&s.Steps, "steps", s.Steps, "training steps")
	f.Int64Var(&s.Seed, "seed", s.Seed, "seed of the weights and the data order (the first, with --seeds)")
	jsonFlag(f, &s.json)
	offer(cmd, "grad", "naive", "graph")
	offer(cmd, "stats", string(norm.Batch), string(norm.EMA), string(norm.Sample), string(norm.Full))
	offer(cmd, "net", benchmarks.DefaultNet, "lenet", "lenet:average", "cnn:32,64")
	offer(cmd, "activation", models.Activations...)
}

// setting is a setting of several normalizations, as a flag for all arms that have it.
type setting struct{ key, kind, help string }

// settingFlag takes any text; the normalizations check it later.
type settingFlag struct {
	setting
	to *settings
}

func (f settingFlag) String() string { return f.to.Settings[f.key] }
func (f settingFlag) Type() string   { return f.kind }

// Set implements pflag.Value.
func (f settingFlag) Set(text string) error {
	f.to.set(f.key, text)
	return nil
}

func (s *settings) set(key, text string) {
	if s.Settings == nil {
		s.Settings = map[string]string{}
	}
	s.Settings[key] = text
}

// offer has the shell complete a flag's value.
func offer(cmd *cobra.Command, flag string, values ...string) {
	fn := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, fn); err != nil {
		panic(err) // there is no such flag
	}
}

// offerArms has the shell complete a flag that takes arms; if it takes several, the last of a
// list with commas.
func offerArms(cmd *cobra.Command, flag string, several bool) {
	fn := func(_ *cobra.Command, _ []string, typed string) ([]string, cobra.ShellCompDirective) {
		before := ""
		if i := strings.LastIndexByte(typed, ','); several && i >= 0 {
			before = typed[:i+1]
		}
		var out []string
		for _, n := range norm.Forms() {
			out = append(out, before+norm.String(n))
		}
		return out, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	if err := cmd.RegisterFlagCompletionFunc(flag, fn); err != nil {
		panic(err)
	}
}

func dataFlags(cmd *cobra.Command, data, dir *string, def string) {
	f := cmd.Flags()
	f.StringVar(data, "data", def, strings.Join(dataset.Names(), ", ")+", or your own: FILE.npz, train.csv,test.csv or a folder of IDX files, such as ./mine")
	f.StringVar(dir, "data-dir", "", "folder of the data sets (default: driftless in the user's cache folder)")
	if err := cmd.RegisterFlagCompletionFunc("data", cobra.FixedCompletions(dataset.Names(), cobra.ShellCompDirectiveDefault)); err != nil { // files, too
		panic(err)
	}
}

func deviceFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "device", "auto", deviceNames)
	offer(cmd, "device", "auto", "cpu", "cuda", "virtual")
}

func precisionFlag(cmd *cobra.Command, name *string) {
	cmd.Flags().StringVar(name, "precision", "", "tf32 or bf16: matrix products on tensor cores of a CUDA device, whose operands are rounded: not the bits of float32 (default float32)")
	offer(cmd, "precision", gemm.Float32.String(), gemm.TF32.String(), gemm.BF16.String())
}

func jsonFlag(f *pflag.FlagSet, on *bool) {
	f.BoolVar(on, "json", false, "print one JSON object on standard output, everything else on standard error")
}

// idleFlag is a flag that was set and changes nothing.
type idleFlag struct{ name, why string }

// idle lists the flags that were set and change nothing on a data set.
func (s *settings) idle(set *dataset.Set) []idleFlag {
	var out []idleFlag
	for _, name := range s.Unused() {
		if s.flags.Changed(name) {
			out = append(out, idleFlag{name, "not used by " + strings.Join(s.Norms, ", ")})
		}
	}
	switch {
	case !s.flags.Changed("data-dir"):
	case s.Data == syntheticData:
		out = append(out, idleFlag{"data-dir", "the program draws the " + syntheticData + " images"})
	case dataset.Own(s.Data):
		out = append(out, idleFlag{"data-dir", "--data is a path"})
	}
	if set.Train.Features != nil && s.flags.Changed("binarize") {
		out = append(out, idleFlag{"binarize", "float features stay as they are"})
	}
	return out
}

// syntheticData is the data set that needs no files.
const syntheticData = "synthetic"

// resolve turns flags into a valid configuration.
func (s *settings) resolve() error {
	if s.config != "" {
		if err := s.readConfig(); err != nil {
			return err
		}
	}
	if s.flags.Changed("affine") {
		s.set("affine", map[bool]string{true: "on", false: "off"}[s.affine])
	}
	filed := func(flag string) bool { return s.config != "" && !s.flags.Changed(flag) }
	switch one := s.flags.Lookup("norm") != nil; {
	case one && filed("norm"):
		if n := len(s.Norms); n > 1 || s.Seeds > 1 {
			return wrong("%s has %s with %s, and train takes one of each: run it with driftless compare, or name --norm", s.config, plural(n, "arm"), plural(s.Seeds, "seed"))
		}
	case one:
		s.Norms = []string{s.norm}
	case !filed("norms"):
		s.Norms = strings.Split(s.norms, ",")
	}
	if dataset.Own(s.Data) && s.config == "" && !s.flags.Changed("binarize") {
		s.Binarize = false // it is for digits
	}
	if s.flags.Changed("probe") {
		s.Probes = strings.Split(s.probes, ",")
	}
	switch {
	case s.flags.Changed("hidden") && s.flags.Changed("net"):
		return wrong("--net and --hidden both say what the network is: give one of them")
	case s.flags.Changed("net") || !filed("hidden"):
		s.Net, s.Hidden = s.net, nil
		if dataset.Own(s.Data) && !s.flags.Changed("net") && s.net == benchmarks.DefaultNet { // whose ends are those of digits
			s.Net, s.Hidden = "", benchmarks.Defaults().Hidden
		}
	}
	if s.flags.Changed("hidden") {
		s.Net = ""
		var bad string
		var ok bool
		if s.Hidden, bad, ok = benchmarks.Sizes(s.hidden, ","); !ok {
			return wrong("--hidden %q: %q is not a positive layer size; give sizes such as 100,100,100", benchmarks.Short(s.hidden), benchmarks.Short(bad))
		}
	}
	if s.Grad != "naive" && s.Grad != "graph" {
		return wrong("--grad %q is neither naive nor graph", s.Grad)
	}
	return s.Validate()
}

func wrong(format string, args ...any) error {
	return &benchmarks.UsageError{Err: fmt.Errorf(format, args...)}
}

// loadData reads a data set of one's own, or one from the data directory, or draws the synthetic
// one.
func loadData(name, dir string) (*dataset.Set, error) {
	switch {
	case name == syntheticData: // needs no directory
		return dataset.Synthetic(1), nil
	case dataset.Own(name):
		set, err := dataset.Open(name)
		if errors.Is(err, fs.ErrNotExist) && !filepath.IsAbs(name) {
			err = fmt.Errorf("%w, which is relative to the folder that the program runs in, or name the data with --data", err)
		}
		return set, err
	}
	dir, err := dataDir(dir)
	if err != nil {
		return nil, err
	}
	set, err := dataset.Load(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w, or take --data synthetic: images drawn by the program", err)
	}
	return set, err
}

// dataName is what a run directory is named after: of data of one's own the file's or folder's
// name.
func dataName(data string) string {
	if !dataset.Own(data) {
		return data
	}
	data, _, _ = strings.Cut(data, ",")
	data = filepath.Base(data)
	return strings.TrimSuffix(data, filepath.Ext(data))
}

func dataDir(dir string) (string, error) {
	if dir != "" {
		return dir, nil
	}
	return dataset.DefaultDir()
}
