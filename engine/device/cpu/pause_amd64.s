//go:build !noasm

#include "textflag.h"

// func pause()
// PAUSE tells the processor that this is a waiting loop.
TEXT ·pause(SB), NOSPLIT, $0-0
	PAUSE
	RET
