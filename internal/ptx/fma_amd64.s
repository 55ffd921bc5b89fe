//go:build !noasm

#include "textflag.h"

#define EIGHT(at) \
	VMOVUPS      at(SI), Y0     \
	VMOVUPS      at(DX), Y1     \
	VFMADD213PS  at(CX), Y1, Y0 \
	VCMPPS       $3, Y0, Y0, Y2 \ // unordered: where a result is NaN
	VBLENDVPS    Y2, Y15, Y0, Y0 \
	VMOVUPS      Y0, at(DI)

// func fmaVector(d, a, b, c *words)
// d may be one of the others.
TEXT ·fmaVector(SB), NOSPLIT, $0-32
	MOVQ         d+0(FP), DI
	MOVQ         a+8(FP), SI
	MOVQ         b+16(FP), DX
	MOVQ         c+24(FP), CX
	MOVL         $0x7fffffff, AX // nan32
	VMOVD        AX, X15
	VPBROADCASTD X15, Y15
	EIGHT(0)
	EIGHT(32)
	EIGHT(64)
	EIGHT(96)
	VZEROUPPER
	RET
