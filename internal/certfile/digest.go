package certfile

import (
	"crypto/sha256"
	"encoding/binary"
)

// digest stands for the contents of files, so that a key need not be kept in
// memory twice.
type digest [sha256.Size]byte

func digestOf(files ...[]byte) (d digest) {
	h := sha256.New()
	for _, b := range files {
		// With the length in front, no two sets of files read as the same.
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
		h.Write(b)
	}
	h.Sum(d[:0])
	return d
}
