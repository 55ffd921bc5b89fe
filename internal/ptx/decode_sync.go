package ptx

import "strings"

// needsClusters checks that the file is for devices with clusters.
func (s *statement) needsClusters() {
	if s.file.m.target < 90 || s.file.m.version < 78 {
		s.fail("needs sm_90 and PTX 7.8")
	}
	s.k.clusters = true
}

// needsOrders checks what .release and .acquire, which are the default, need where they
// are written.
func (s *statement) needsOrders() {
	if (strings.Contains(s.op, ".release") || strings.Contains(s.op, ".acquire")) && s.file.m.version < 80 {
		s.fail(".release and .acquire need PTX 8.0")
	}
}

// synchronise decodes barriers, shuffles and votes.
func (s *statement) synchronise() {
	y := &syncOp{pred: -1}
	s.in.sync = y
	switch s.op {
	case "bar.sync", "barrier.sync", "barrier.sync.aligned":
		s.want(1)
		if o := s.ops[0]; o.kind != opInt || o.bits != 0 {
			s.fail("only barrier 0, of the whole block, is supported")
		}
		s.in.kind = kBarrier
	case "barrier.cluster.arrive", "barrier.cluster.arrive.release", "barrier.cluster.arrive.aligned", "barrier.cluster.arrive.release.aligned":
		s.want(0)
		s.needsClusters()
		s.needsOrders()
		s.in.kind = kClusterArrive
	case "barrier.cluster.wait", "barrier.cluster.wait.acquire", "barrier.cluster.wait.aligned", "barrier.cluster.wait.acquire.aligned":
		s.want(0)
		s.needsClusters()
		s.needsOrders()
		s.in.kind = kClusterWait
	case "bar.warp.sync":
		s.want(1)
		s.in.kind = kWarpSync
		y.members = s.source(s.ops[0], 'w')
	case "activemask.b32":
		s.want(1)
		s.in.kind, s.in.d = kActiveMask, s.dest(s.ops[0], 'w')
	case "shfl.sync.up.b32", "shfl.sync.down.b32", "shfl.sync.bfly.b32", "shfl.sync.idx.b32":
		s.want(5)
		s.in.kind, y.mode = kShuffle, strings.TrimPrefix(s.op, "shfl.sync.")[0]
		d := s.ops[0]
		if d.pred != nil {
			y.pred = s.dest(*d.pred, 'p')
			d.pred = nil
		}
		s.in.d = s.dest(d, 'w')
		s.in.a, s.in.b, s.in.c = s.source(s.ops[1], 'w'), s.source(s.ops[2], 'w'), s.source(s.ops[3], 'w')
		y.members = s.source(s.ops[4], 'w')
	case "vote.sync.all.pred", "vote.sync.any.pred", "vote.sync.uni.pred", "vote.sync.ballot.b32":
		s.want(3)
		s.in.kind = kVote
		letter := byte('p')
		switch {
		case strings.Contains(s.op, "any"):
			y.mode = 'o'
		case strings.Contains(s.op, "ballot"):
			y.mode, letter = 'b', 'w'
		default:
			y.mode = strings.TrimPrefix(s.op, "vote.sync.")[0]
		}
		s.in.d, s.in.a, y.members = s.dest(s.ops[0], letter), s.source(s.ops[1], 'p'), s.source(s.ops[2], 'w')
	default:
		s.unknown()
	}
}
