//go:build gpu

package cli

func init() { killDevices = append(killDevices, killDevice{"virtual", 3, 2, 2}) }
