package ptx

// A specialID names a special register.
type specialID uint8

const (
	tidX specialID = iota
	tidY
	tidZ
	ntidX
	ntidY
	ntidZ
	ctaidX
	ctaidY
	ctaidZ
	nctaidX
	nctaidY
	nctaidZ
	clusterCtaidX
	clusterCtaidY
	clusterCtaidZ
	clusterNctaidX
	clusterNctaidY
	clusterNctaidZ
	clusteridX
	clusteridY
	clusteridZ
	nclusteridX
	nclusteridY
	nclusteridZ
	clusterCtarank
	clusterNctarank
	laneID
	lanesEqual
	lanesBelow
	lanesUpTo
	lanesAbove
	lanesFrom
)

var specialNames = map[string]specialID{
	"%tid.x": tidX, "%tid.y": tidY, "%tid.z": tidZ, "%ntid.x": ntidX, "%ntid.y": ntidY, "%ntid.z": ntidZ,
	"%ctaid.x": ctaidX, "%ctaid.y": ctaidY, "%ctaid.z": ctaidZ,
	"%nctaid.x": nctaidX, "%nctaid.y": nctaidY, "%nctaid.z": nctaidZ,
	"%cluster_ctaid.x": clusterCtaidX, "%cluster_ctaid.y": clusterCtaidY, "%cluster_ctaid.z": clusterCtaidZ,
	"%cluster_nctaid.x": clusterNctaidX, "%cluster_nctaid.y": clusterNctaidY, "%cluster_nctaid.z": clusterNctaidZ,
	"%clusterid.x": clusteridX, "%clusterid.y": clusteridY, "%clusterid.z": clusteridZ,
	"%nclusterid.x": nclusteridX, "%nclusterid.y": nclusteridY, "%nclusterid.z": nclusteridZ,
	"%cluster_ctarank": clusterCtarank, "%cluster_nctarank": clusterNctarank,
	"%laneid": laneID, "%lanemask_eq": lanesEqual, "%lanemask_lt": lanesBelow, "%lanemask_le": lanesUpTo,
	"%lanemask_gt": lanesAbove, "%lanemask_ge": lanesFrom,
}

// value returns a special register of a thread, as far as it depends on the
// block's size alone. The others are filled in for each launch and block.
func (id specialID) value(block Dim, thread int) uint32 {
	lane := uint(thread % lanes)
	switch {
	case id <= tidZ:
		return uint32(block.at(thread)[id-tidX])
	case id <= ntidZ:
		return uint32(block[id-ntidX])
	}
	switch id {
	case laneID:
		return uint32(lane)
	case lanesEqual:
		return 1 << lane
	case lanesBelow:
		return 1<<lane - 1
	case lanesUpTo:
		return 2<<lane - 1
	case lanesAbove:
		return -(2 << lane)
	case lanesFrom:
		return -(1 << lane)
	}
	return 0
}
