package norm

import (
	_ "embed" // for the PTX

	"driftless/kernels/cuda"
)

//go:embed stats.ptx
var statsPTX string

//go:embed stats.sm_90.ptx
var stats90PTX string

//go:embed transform.ptx
var transformPTX string

//go:embed transform.sm_90.ptx
var transform90PTX string

//go:embed grad.ptx
var gradPTX string

//go:embed grad.sm_90.ptx
var grad90PTX string

//go:embed channels.ptx
var channelsPTX string

//go:embed channels.sm_90.ptx
var channels90PTX string

// PTX holds the CUDA kernels. accumulate takes as m the rows that count, and the
// sum of outer products is gemm_tn of x with itself, then accumulate_matrix.
var PTX = []cuda.Module{{File: "stats.ptx", PTX: statsPTX, Forms: []cuda.Form{cuda.Later(stats90PTX)}, Kernels: []cuda.Kernel{
	{Name: "column_sum", In: "x", Out: "out", Ints: "m d ldx", Over: cuda.Column},
	{Name: "column_mean", In: "x", Out: "mean", Ints: "m d ldx", Over: cuda.Column},
	{Name: "column_var", In: "x mean", Out: "variance", Ints: "m d ldx", Over: cuda.Column},
	{Name: "column_dot", In: "a b", Out: "out", Ints: "m d lda ldb", Over: cuda.Column},
	{Name: "accumulate", In: "x", Out: "acc", Ints: "m d ldx", Over: cuda.Column},
	{Name: "accumulate_matrix", In: "x", Out: "acc", Ints: "m d ldx ldacc"},
	{Name: "from_accumulator", In: "acc", Out: "y", Ints: "m d ldacc ldy", Doubles: "scale"},
	{Name: "ema", In: "old recent", Out: "out", Ints: "m d ldold ldrecent ldout", Floats: "alpha scale"},
	{Name: "ema_rows", In: "old recent", Out: "out", Ints: "m d ldrecent", Floats: "alpha scale", Over: cuda.Column},
}}, {File: "transform.ptx", PTX: transformPTX, Forms: []cuda.Form{cuda.Later(transform90PTX)}, Kernels: []cuda.Kernel{
	{Name: "center", In: "x", Out: "y mean", Ints: "m d ldx ldy", Over: cuda.Columns},
	{Name: "standardize", In: "x", Out: "xhat mean variance invstd", Ints: "m d ldx ldxhat", Doubles: "eps", Over: cuda.Columns},
	{Name: "standardize_affine", In: "x gamma beta", Out: "xhat mean variance invstd y", Ints: "m d ldx ldxhat ldy", Doubles: "eps",
		Over: cuda.Columns},
	{Name: "rescale", In: "x", Out: "y inv", Ints: "m d ldx ldy", Doubles: "eps", Over: cuda.Column},
	{Name: "renorm_scale", In: "variance running steps", Out: "r", Ints: "m d ldvariance ldrunning ldr", Doubles: "eps max from to"},
	{Name: "renorm_shift", In: "mean running variance steps", Out: "y", Ints: "m d ldmean ldrunning ldvariance ldy",
		Doubles: "eps max from to"},
	{Name: "center_by", In: "x mean", Out: "y", Ints: "m d ldx ldy"},
	{Name: "normalize_by", In: "x mean variance", Out: "y", Ints: "m d ldx ldy", Doubles: "eps"},
	{Name: "scale_by", In: "g variance", Out: "dx", Ints: "m d ldg lddx", Doubles: "eps"},
	{Name: "affine", In: "xhat gamma beta", Out: "y", Ints: "m d ldxhat ldy"},
	{Name: "scale_columns", In: "g gamma", Out: "dx", Ints: "m d ldg lddx"},
	{Name: "squared_dev", In: "x mean", Out: "y", Ints: "m d ldx ldy"},
}}, {File: "grad.ptx", PTX: gradPTX, Forms: []cuda.Form{cuda.Later(grad90PTX)}, Kernels: []cuda.Kernel{
	{Name: "standardize_grad", In: "xhat g invstd", Out: "dx scratch", Ints: "m d ldxhat ldg lddx", Over: cuda.Columns},
	{Name: "rescale_grad", In: "y g inv", Out: "dx", Ints: "m d ldy ldg lddx", Over: cuda.Column},
	{Name: "affine_grad", In: "xhat g gamma invstd", Out: "dx dgamma dbeta scratch", Ints: "m d ldxhat ldg lddx", Over: cuda.Columns},
}}, {File: "channels.ptx", PTX: channelsPTX, Forms: []cuda.Form{cuda.Later(channels90PTX)}, Kernels: []cuda.Kernel{
	{Name: "channel_norm", In: "x", Out: "center invstd running_mean running_variance", Ints: "n c s", Floats: "momentum training", Doubles: "eps",
		Over: cuda.Tiles, TileRows: 1, TileCols: 1, TileThreads: 256},
	{Name: "channels_by", In: "x center invstd", Out: "y", Ints: "m d c"},
	{Name: "channels_grad", In: "x g center invstd", Out: "dx", Ints: "n c s", Floats: "weight", Over: cuda.Tiles, TileRows: 1, TileCols: 1, TileThreads: 256},
}}}
