// Package driftless holds the licences that the binaries carry. The program is in
// package cli.
package driftless

import _ "embed"

//go:generate go run ./internal/licences -test ./engine/device/cuda ./cmd/driftless ./cmd/gpucheck

// Licence is Driftless's own licence.
//
//go:embed LICENSE
var Licence string

// ThirdParty lists what the binaries contain of others, with the licences' texts.
//
//go:embed THIRD_PARTY.txt
var ThirdParty string
