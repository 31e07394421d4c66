package main

import (
	"io/fs"
	"os"
	"runtime/debug"

	"go.uber.org/zap"

	"sallyport/internal/garbage"
	"sallyport/internal/memlimit"
)

// leastHeap is what the gate has under load, in bytes. A limit below it would keep
// the garbage collector at work all the time.
const leastHeap = 16 << 20

// limitMemory has the garbage collector keep us within four fifths of what our
// container may take, unless the operator set GOMEMLIMIT. The last fifth is for
// what Go does not count: the program's own pages, and the kernel's buffers for
// sockets. Far from the limit nothing changes. The root is that of the file system.
// It returns what says so in the log, which comes later: the limit is for the gate to
// be made by.
func limitMemory(root fs.FS) (say func(*zap.Logger)) {
	if set := os.Getenv("GOMEMLIMIT"); set != "" {
		return func(log *zap.Logger) {
			log.Info("the memory limit is the environment's", zap.String("GOMEMLIMIT", set))
		}
	}
	container, err := memlimit.Container(root)
	switch {
	case err != nil:
		return func(log *zap.Logger) {
			log.Warn("no memory limit is set, as the container's cannot be read: set GOMEMLIMIT", zap.Error(err))
		}
	case container == 0:
		return func(log *zap.Logger) { log.Info("no memory limit is set, as the container has none") }
	}
	ours := max(container-container/5, leastHeap)
	debug.SetMemoryLimit(ours)
	return func(log *zap.Logger) {
		log.Info("the memory limit is set from the container's", zap.Int64("container", container), zap.Int64("GOMEMLIMIT", ours))
	}
}

// leastGarbage is how large the heap gets before garbage is collected, in bytes: under
// load it takes 4 MiB more than Go would let it, for half of the collections. With more
// it would be near the 30 MiB that a gate may take under load, and a flood's heap, which
// is larger than this, must be no larger for it.
const leastGarbage = 12 << 20

// paceGarbage has less garbage collected than Go would, unless the operator set GOGC.
func paceGarbage() (stop func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	return garbage.Pace(leastGarbage).Stop
}

// rememberedBytes is what the tokens that are remembered may take: 16 MiB, for 10,000
// to 16,000 of them. Of a small memory limit it is a sixth: with as much garbage
// again, that is a third of it, and the rest is for requests under way.
func rememberedBytes() int {
	return int(min(16<<20, debug.SetMemoryLimit(-1)/6))
}
