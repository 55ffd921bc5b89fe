package benchmarks

import "reflect"

// Unused names the settings of normalizations that none of the arms uses: whatever
// their value, the resolved arms are the same.
func (c Config) Unused() []string {
	yes, no := true, false
	var out []string
	for _, s := range []struct {
		name string
		set  [2]func(c *Config) // to two different values
	}{
		{"grad", [2]func(*Config){func(c *Config) { c.Grad = "naive" }, func(c *Config) { c.Grad = "graph" }}},
		{"affine", [2]func(*Config){func(c *Config) { c.Affine = &yes }, func(c *Config) { c.Affine = &no }}},
		{"stats", [2]func(*Config){func(c *Config) { c.Stats = "batch" }, func(c *Config) { c.Stats = "full" }}},
		{"alpha", [2]func(*Config){func(c *Config) { c.Alpha = 0.5 }, func(c *Config) { c.Alpha = 0.25 }}},
		{"eps", [2]func(*Config){func(c *Config) { c.Eps = 0.5 }, func(c *Config) { c.Eps = 0.25 }}},
		{"interval", [2]func(*Config){func(c *Config) { c.Interval = 2 }, func(c *Config) { c.Interval = 3 }}},
	} {
		var arms [2][]resolvedArm
		for i, set := range s.set {
			changed := c
			set(&changed)
			if norms, err := changed.Arms(); err == nil { // an error is a difference, too
				arms[i] = resolvedArms(norms)
			}
		}
		if arms[0] != nil && reflect.DeepEqual(arms[0], arms[1]) {
			out = append(out, s.name)
		}
	}
	return out
}
