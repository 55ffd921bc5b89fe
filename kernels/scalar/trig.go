package scalar

import (
	"math"
	"math/bits"
)

// fourOverPi is 4/π: element i counts 2^(-64·i).
var fourOverPi = [...]uint64{
	0x0000000000000001, 0x45f306dc9c882a53, 0xf84eafa3ea69bb81, 0xb6c52b3278872083, 0xfca2c757bd778ac3,
	0x6e48dc74849ba5c0, 0x0c925dd413a32439, 0xfc3bd63962534e7d, 0xd1046bea5d768909, 0xd338e04d68befc82,
	0x7323ac7306a673e9, 0x3908bf177bf25076, 0x3ff12fffbc0b301f, 0xde5e2316b414da3e, 0xda6cfd9e4f96136e,
	0x9e8c7ecd3cbfd45a, 0xea4f758fd7cbe2f6, 0x7a0e73ef14a525d4, 0xd7f6bf623f1aba10, 0xac06608df8f6d757,
}

// octant returns j, which is 0, 2, 4 or 6, and z with x = j·π/4 + z up to turns, |z| ≤ π/4, for a finite x ≥ 0.
func octant(x float64) (j uint64, z float64) {
	if x >= 1<<29 {
		return farOctant(x)
	}
	j = uint64(float64(x * (4 / math.Pi)))
	j += j & 1
	y := float64(j)
	z = x - float64(y*7.85398125648498535156e-1) // π/4 in three parts
	z = z - float64(y*3.77489470793079817668e-8)
	z = z - float64(y*2.69515142907905952645e-15)
	return j & 7, z
}

// farOctant multiplies x by as many bits of 4/π as matter (Payne and Hanek, 1983).
func farOctant(x float64) (j uint64, z float64) {
	b := math.Float64bits(x)
	at := uint(b>>52) - 1023 - 52 + 61
	m := b&(1<<52-1) | 1<<52
	word := func(i uint) uint64 { // 64 bits of 4/π
		i += at / 64
		return fourOverPi[i]<<(at%64) | fourOverPi[i+1]>>(64-at%64)
	}
	carried, _ := bits.Mul64(word(2), m)
	hi, lo := bits.Mul64(word(1), m)
	lo, carry := bits.Add64(lo, carried, 0)
	hi += word(0)*m + carry
	j = hi >> 61
	hi = hi<<3 | lo>>61
	n := uint(bits.LeadingZeros64(hi)) + 1
	z = math.Float64frombits(uint64(1023-n)<<52 | (hi<<n|lo>>(64-n))>>12) // the last bits as package math has them
	if j&1 == 1 {
		j = (j + 1) & 7
		z--
	}
	return j, float64(z * (math.Pi / 4))
}

// sinNear and cosNear are of |z| ≤ π/4, by Cephes' polynomials (Moshier, 1989).
func sinNear(z float64) float64 {
	s := float64(z * z)
	p := float64(1.58962301576546568060e-10*s) - 2.50507477628578072866e-8
	p = float64(p*s) + 2.75573136213857245213e-6
	p = float64(p*s) - 1.98412698295895385996e-4
	p = float64(p*s) + 8.33333333332211858878e-3
	p = float64(p*s) - 1.66666666666666307295e-1
	return z + float64(float64(z*s)*p)
}

func cosNear(z float64) float64 {
	s := float64(z * z)
	p := float64(-1.13585365213876817300e-11*s) + 2.08757008419747316778e-9
	p = float64(p*s) - 2.75573141792967388112e-7
	p = float64(p*s) + 2.48015872888517045348e-5
	p = float64(p*s) - 1.38888888888730564116e-3
	p = float64(p*s) + 4.16666666666665929218e-2
	return (1 - float64(0.5*s)) + float64(float64(s*s)*p)
}

// Sin returns the sine of x radians, NaN of what is not finite.
func Sin(x float64) float64 {
	switch {
	case x == 0:
		return x
	case x-x != 0:
		return math.NaN()
	}
	j, z := octant(math.Abs(x))
	y := sinNear(z)
	if j&2 != 0 {
		y = cosNear(z)
	}
	if (j > 3) != (x < 0) {
		return -y
	}
	return y
}

// Cos returns the cosine of x radians, NaN of what is not finite.
func Cos(x float64) float64 {
	if x-x != 0 {
		return math.NaN()
	}
	j, z := octant(math.Abs(x))
	y := cosNear(z)
	if j&2 != 0 {
		y = sinNear(z)
	}
	if j == 2 || j == 4 {
		return -y
	}
	return y
}
