package virtual

import (
	"fmt"
	"strings"
)

type module struct {
	m         Module
	functions map[string]Handle
}

type function struct {
	k          Kernel
	name       string
	maxDynamic int // bytes of dynamic shared memory that a launch may ask for
	maxCluster int // blocks of a cluster
}

// NameSource has messages about a module of this source call it by the name.
func (d *Driver) NameSource(name, source string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[source] = name
}

// ModuleLoad is cuModuleLoadData, of PTX.
func (d *Driver) ModuleLoad(t Thread, source, site string) (h Handle, r Result) {
	r = d.call(t, func(c *context) error {
		if err := c.unsafeCall(t, "loading of a module"); err != nil {
			return err
		}
		if strings.HasPrefix(source, "\x7fELF") || strings.HasPrefix(source, "\x50\xed\x55\xba") {
			return fail(InvalidImage, "the virtual device runs PTX, not machine code")
		}
		name := d.names[source]
		if name == "" {
			name = "module loaded " + site
		}
		m, err := d.cfg.Machine.Load(name, source)
		if err != nil {
			return fail(InvalidPTX, "%v", err)
		}
		if m.Target() > d.capability {
			return fail(InvalidPTX, "%s is for sm_%d, and the virtual device is of compute capability %d.%d", name, m.Target(), d.capability/10, d.capability%10)
		}
		h = c.newHandle(&module{m: m, functions: map[string]Handle{}}, "a module, "+name)
		d.counters.Modules++
		return nil
	})
	return h, r
}

// ModuleUnload is cuModuleUnload.
func (d *Driver) ModuleUnload(t Thread, h Handle) Result {
	return d.call(t, func(c *context) error {
		if err := c.unsafeCall(t, "unloading of a module"); err != nil {
			return err
		}
		m, err := find[*module](c, h, "module")
		if err != nil {
			return err
		}
		for _, f := range m.functions {
			c.drop(f)
		}
		c.drop(h)
		return nil
	})
}

// ModuleFunction is cuModuleGetFunction.
func (d *Driver) ModuleFunction(t Thread, h Handle, name string) (f Handle, r Result) {
	r = d.call(t, func(c *context) error {
		m, err := find[*module](c, h, "module")
		if err != nil {
			return err
		}
		if f = m.functions[name]; f != 0 {
			return nil
		}
		k, ok := m.m.Kernel(name)
		if !ok {
			return fail(NotFound, "the module has no kernel %q", name)
		}
		f = c.newHandle(&function{k: k, name: name, maxDynamic: max(0, maxShared-k.SharedBytes()), maxCluster: maxCluster}, "")
		m.functions[name] = f
		return nil
	})
	return f, r
}

// Attributes of cuFuncGetAttribute.
const (
	FuncMaxThreads       = 0
	FuncShared           = 1
	FuncLocal            = 3
	FuncPTXVersion       = 5
	FuncBinaryVersion    = 6
	FuncMaxDynamicShared = 8
	FuncLargeClusters    = 14
	funcAttributes       = 16
	funcCarveOut         = 9
)

// FuncAttribute is cuFuncGetAttribute. The machine has no registers to count.
func (d *Driver) FuncAttribute(t Thread, h Handle, attribute int) (v int, r Result) {
	r = d.call(t, func(c *context) error {
		f, err := find[*function](c, h, "kernel")
		if err != nil {
			return err
		}
		switch attribute {
		case FuncMaxThreads:
			v = f.k.MaxThreads()
		case FuncShared:
			v = f.k.SharedBytes()
		case FuncLocal:
			v = f.k.LocalBytes()
		case FuncPTXVersion, FuncBinaryVersion:
			v = d.capability
		case FuncMaxDynamicShared:
			v = f.maxDynamic
		case FuncLargeClusters:
			if f.maxCluster > maxCluster {
				v = 1
			}
		default:
			if attribute < 0 || attribute >= funcAttributes {
				return fail(InvalidValue, "kernel attribute %d", attribute)
			}
		}
		return nil
	})
	return v, r
}

// FuncSetAttribute is cuFuncSetAttribute.
func (d *Driver) FuncSetAttribute(t Thread, h Handle, attribute, v int) Result {
	return d.call(t, func(c *context) error {
		f, err := find[*function](c, h, "kernel")
		if err != nil {
			return err
		}
		switch {
		case attribute == funcCarveOut: // a hint
			return nil
		case attribute == FuncLargeClusters && d.capability >= clusterCapability:
			f.k.AllowLargeClusters(v != 0)
			if f.maxCluster = maxCluster; v != 0 {
				f.maxCluster = maxLargeCluster
			}
			return nil
		}
		if attribute != FuncMaxDynamicShared {
			return fail(InvalidValue, "kernel attribute %d cannot be set", attribute)
		}
		if most := d.attribute(attributeSharedIn); v < 0 || v+f.k.SharedBytes() > most {
			return fail(InvalidValue, "%s: %d bytes of dynamic shared memory besides %d static ones: a block may have %d", f.name, v, f.k.SharedBytes(), most)
		}
		if err := f.k.SetMaxDynamic(v); err != nil {
			return fail(InvalidValue, "%v", err)
		}
		f.maxDynamic = v
		return nil
	})
}

// FuncParams says how the arguments of a launch are laid out, and how many
// bytes they have.
func (d *Driver) FuncParams(h Handle) (params []Param, size int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f, ok := d.handles[h].(*function)
	if !ok {
		return nil, 0
	}
	return f.k.Params(), f.k.ParamBytes()
}

// Launch is cuLaunchKernel, and cuLaunchKernelEx where a cluster has more than one block or
// the launch is dependent: then it may begin before the work before it on its stream has
// ended. The arguments are those that FuncParams lays out.
func (d *Driver) Launch(t Thread, h Handle, grid, block, cluster Dim, dependent bool, dynamicShared int, on Handle, args []byte, site string) Result {
	return d.call(t, func(c *context) error {
		f, err := find[*function](c, h, "kernel")
		if err != nil {
			return err
		}
		s, err := c.stream(on)
		if err != nil {
			return err
		}
		if err := f.fits(grid, block, dynamicShared); err != nil {
			return err
		}
		if err := f.clusterFits(grid, cluster, d.capability); err != nil {
			return err
		}
		switch {
		case dependent && d.capability < clusterCapability:
			return fail(NotSupported, "dependent launch of %s: the virtual device is of compute capability %d.%d", f.name, d.capability/10, d.capability%10)
		case dependent && cluster.size() > 1:
			return fail(NotSupported, "dependent launch of %s in clusters", f.name)
		case s.capture == nil:
			d.counters.Launches++
		}
		what := fmt.Sprintf("kernel %s, grid %d,%d,%d, block %d,%d,%d, on %v, launched %s",
			f.name, grid.X, grid.Y, grid.Z, block.X, block.Y, block.Z, s, site)
		if cluster.size() > 1 {
			what = strings.Replace(what, ", block ", fmt.Sprintf(", cluster %d,%d,%d, block ", cluster.X, cluster.Y, cluster.Z), 1)
		}
		return c.enqueue(s, what, true, func() error {
			err := f.k.Launch(c.memory, grid, block, cluster, dependent, dynamicShared, args)
			if err == nil {
				return nil
			}
			return &Fault{Result: code(err), Text: what + ":\n" + err.Error(), Cause: err}
		})
	})
}

// groups are the multiprocessors of a device with clusters, in the groups (GPCs) of which a cluster
// has one to itself: uneven, as those of an H100 are on which 15 clusters of 8 large blocks run.
var groups = [...]int{18, 18, 18, 16, 16, 16, 16, 14}

// MaxActiveClusters is cuOccupancyMaxActiveClusters: how many clusters of a launch run at a
// time, where shared memory alone bounds how many blocks a multiprocessor has.
func (d *Driver) MaxActiveClusters(t Thread, h Handle, grid, block, cluster Dim, dynamicShared int) (n int, r Result) {
	r = d.call(t, func(c *context) error {
		f, err := find[*function](c, h, "kernel")
		if err == nil {
			err = f.fits(grid, block, dynamicShared)
		}
		if err == nil {
			err = f.clusterFits(grid, cluster, d.capability)
		}
		if err == nil {
			const reserved = 1 << 10 // of a block's shared memory
			blocks := d.attribute(attributeShared) / (dynamicShared + f.k.SharedBytes() + reserved)
			for _, multiprocessors := range groups {
				n += multiprocessors * blocks / cluster.size()
			}
		}
		return err
	})
	return n, r
}

// fits refuses what a device cannot launch.
func (f *function) fits(grid, block Dim, shared int) error {
	bad := func(what string, a ...any) error {
		return fail(InvalidValue, "launch of %s: %s", f.name, fmt.Sprintf(what, a...))
	}
	switch {
	case grid.X < 1 || grid.Y < 1 || grid.Z < 1 || block.X < 1 || block.Y < 1 || block.Z < 1:
		return bad("grid %v and block %v must not be empty", grid, block)
	case grid.X > maxGrid || grid.Y > maxGridYZ || grid.Z > maxGridYZ:
		return bad("grid %v is beyond %d, %d, %d", grid, maxGrid, maxGridYZ, maxGridYZ)
	case block.X > maxBlock || block.Y > maxBlock || block.Z > maxBlockZ || block.size() > maxBlock:
		return bad("block %v is beyond %d threads, or %d in z", block, maxBlock, maxBlockZ)
	case block.size() > f.k.MaxThreads():
		return bad("block %v: the kernel is compiled for %d threads at most", block, f.k.MaxThreads())
	case shared < 0 || shared > f.maxDynamic:
		return bad("%d bytes of dynamic shared memory: %d are allowed (CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)", shared, f.maxDynamic)
	}
	return nil
}

// clusterFits refuses clusters that a device cannot launch.
func (f *function) clusterFits(grid, cluster Dim, capability int) error {
	bad := func(what string, a ...any) error {
		return fail(InvalidClusterSize, "launch of %s: %s", f.name, fmt.Sprintf(what, a...))
	}
	switch {
	case cluster == Dim{1, 1, 1}:
		return nil
	case capability < clusterCapability:
		return fail(NotSupported, "launch of %s in clusters: the virtual device is of compute capability %d.%d", f.name, capability/10, capability%10)
	case cluster.X < 1 || cluster.Y < 1 || cluster.Z < 1 || cluster.size() > f.maxCluster:
		return bad("cluster %v must have from 1 to %d blocks (CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED: %d)", cluster, f.maxCluster, maxLargeCluster)
	case grid.X%cluster.X != 0 || grid.Y%cluster.Y != 0 || grid.Z%cluster.Z != 0:
		return bad("grid %v is no multiple of cluster %v", grid, cluster)
	}
	return nil
}
