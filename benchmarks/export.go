package benchmarks

import (
	"cmp"
	"fmt"
	"io"
	"os"

	"driftless/engine/device"
	"driftless/engine/device/cpu"
	"driftless/engine/onnx"
	"driftless/engine/program"
	"driftless/internal/atomicfile"
	"driftless/models"
	"driftless/models/norm"
)

// ExportFormats are the formats that Weights.Export writes.
var ExportFormats = []string{"onnx", "safetensors"}

// Export writes the network to a file in one of ExportFormats; the file is complete or as it
// was. A safetensors file is the weights file as it is. An ONNX model (package onnx) takes
// what evaluation feeds, the values of pixels after their map, which the model says in words
// (the input's doc string, and its property "input") beside the weights file's description
// (the property "driftless"). It fails where the method's evaluation has no translation.
func (w *Weights) Export(format, path string) error {
	switch format {
	case "onnx":
		model, err := w.onnx()
		if err != nil {
			return err
		}
		return atomicfile.Write(path, func(to io.Writer) error {
			_, err := to.Write(model)
			return err
		})
	case "safetensors":
		if err := w.loaded(func(Config, *models.Network, *program.Program, device.Session) error { return nil }); err != nil {
			return err
		}
		from, err := os.Open(w.path)
		if err != nil {
			return err
		}
		defer from.Close()
		return atomicfile.Write(path, func(to io.Writer) error {
			_, err := io.Copy(to, from)
			return err
		})
	}
	return norm.Unknown("format", format, ExportFormats)
}

// onnx returns the network as an ONNX model.
func (w *Weights) onnx() (model []byte, err error) {
	err = w.loaded(func(c Config, net *models.Network, p *program.Program, s device.Session) (err error) {
		o := onnx.Options{Input: models.StateInput, Output: models.StateLogits, Version: Version()}
		layout := "row by row"
		if m := net.Image; net.Hidden[0].Conv != nil {
			o.Height, o.Width, o.Channels = m.Height, m.Width, m.Channels
			layout = "[N, channels, height, width]"
		}
		o.InputDoc = fmt.Sprintf("pixels of 0 to 255, %s, as %s", layout, map[bool]string{true: "1 where they are above 127, else 0", false: "pixel / 255"}[c.Binarize])
		if w.about.Features {
			o.InputDoc = "features as they are, " + layout
		}
		o.Doc = fmt.Sprintf("%v %s with %s, trained for %d steps on %s by driftless; the logits of N examples", net, c.Activation, norm.String(w.method), w.about.Step, w.about.Data)
		o.Metadata = map[string]string{metadataKey: w.file.Metadata()[metadataKey], "input": o.InputDoc}
		model, err = onnx.Export(p, func(state string, values []float32) error { return s.Read(state, 0, values) }, o)
		if err != nil {
			return fmt.Errorf("%s: the network with %s cannot be exported: %w", w.path, norm.String(w.method), err)
		}
		return nil
	})
	return model, err
}

// form is that of the data that the network was trained on. Files from before there were others
// leave it out where it is that of the named data sets.
func (w *Weights) form() form {
	d := w.about
	f := form{image: models.Image{Height: 1, Width: d.Inputs, Channels: 1}, classes: cmp.Or(d.Classes, named.classes), features: d.Features}
	if len(d.Image) == 3 {
		f.image = models.Image{Height: d.Image[0], Width: d.Image[1], Channels: d.Image[2]}
	} else if d.Inputs == named.inputs() {
		f.image = named.image
	}
	return f
}

// network returns the network that the file describes, for data of a form, and the
// configuration that gives it; it fails where the file cannot hold the weights of such a
// network.
func (w *Weights) network(f form) (Config, *models.Network, error) {
	d := w.about
	c := Defaults()
	c.Net, c.Hidden, c.Activation, c.Binarize = d.Net, d.Hidden, d.Activation, d.Binarize && !f.features
	if _, _, _, err := c.layers(); err != nil {
		return c, nil, fmt.Errorf("%s: %w", w.path, err)
	}
	net := c.network(f, w.method)
	if err := net.Validate(); err != nil {
		return c, nil, fmt.Errorf("%s: %w", w.path, err)
	}
	if have, need := w.numbers(), net.Weights(); have < need { // before anything of that size is allocated
		return c, nil, fmt.Errorf("%s holds %d numbers, the network %v that it describes has %d weights", w.path, have, net, need)
	}
	return c, net, nil
}

// loaded calls f with a session that holds the file's weights, all of which are sound, and the
// forward Program of a batch over it.
func (w *Weights) loaded(f func(Config, *models.Network, *program.Program, device.Session) error) error {
	c, net, err := w.network(w.form())
	if err != nil {
		return err
	}
	tensors, err := w.tensors(net)
	if err != nil {
		return err
	}
	const batch = 2 // stands for any number
	layout := program.NewLayout(program.Float32)
	p, err := net.Forward(layout, batch)
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	s, err := cpu.New().Open(layout, 1)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := net.Load(s, 0, tensors); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return f(c, net, p, s)
}
