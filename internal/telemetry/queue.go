package telemetry

import (
	"bytes"
	"io"
	"sync"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

const (
	// maxQueued bounds the bytes that wait to be written: some 2,000 lines, a
	// few seconds of a gate that refuses everybody. As much again may be on its
	// way out, so the log holds 1 MiB at most.
	maxQueued = 512 << 10
	// keptBuffer is the largest buffer that is kept for the next lines. A
	// burst's is given back.
	keptBuffer = 32 << 10
	// flushTime is how long Sync waits. Whoever reads at all has read what is
	// queued long before, and who does not must not hold up our end.
	flushTime = 2 * time.Second
)

// A Queue stands in front of a log's destination that may stop taking lines, as
// a pipe does whose reader hangs. Who logs never waits: lines that find the
// queue full are dropped and counted, and a line in the log says how many, at
// the place where they are missing. The others come out whole and in their
// order.
//
// zapcore.BufferedWriteSyncer is no help there: it writes while it holds its
// lock, so a destination that hangs stops everybody who logs.
type Queue struct {
	out io.Writer
	enc zapcore.Encoder // for the line about those that are missing

	mu      sync.Mutex
	pending []byte
	spare   []byte        // empty, and nobody's
	done    chan struct{} // closed when nothing is left to write; nil while that is so
	dropped uint64
	told    uint64 // of dropped, those that a line in the log speaks of
}

// NewQueue returns a Queue in front of out, for a logger of that format: see
// [NewLogger]. It runs a goroutine while there is something to write.
func NewQueue(format string, out io.Writer) (*Queue, error) {
	enc, err := encoder(format)
	return &Queue{out: out, enc: enc}, err
}

// Write takes one line, and does not wait. There is no error: there is nobody
// who could do anything about it.
func (q *Queue) Write(line []byte) (int, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.pending)+len(line) > maxQueued {
		q.dropped++
		return len(line), nil
	}
	q.pending = append(q.pending, line...)
	if q.done == nil {
		q.done = make(chan struct{})
		go q.drain()
	}
	return len(line), nil
}

// Dropped is the number of lines that were not written.
func (q *Queue) Dropped() uint64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.dropped
}

// Sync waits until every line that was taken is written, for 2 s at most. It is
// called at the end of the program.
func (q *Queue) Sync() error {
	q.mu.Lock()
	done := q.done
	q.mu.Unlock()
	if done == nil {
		return nil
	}
	select {
	case <-done:
	case <-time.After(flushTime):
	}
	return nil
}

// drain writes until nothing is left, or until writing fails: then the next line
// tries again.
func (q *Queue) drain() {
	for {
		batch, missing := q.take()
		if len(batch) == 0 {
			return
		}
		if n, err := q.out.Write(batch); err != nil {
			q.fail(bytes.Count(batch[min(n, len(batch)):], []byte("\n")))
			return
		}
		if missing > 0 && q.tell(missing) != nil {
			q.fail(0)
			return
		}
		q.give(batch, missing)
	}
}

// take returns what is to be written, and how many lines were dropped after it.
// Nothing means that whoever drains has done its work.
func (q *Queue) take() (batch []byte, missing uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	batch, q.pending, q.spare = q.pending, q.spare, nil
	if len(batch) == 0 {
		q.end()
	}
	return batch, q.dropped - q.told
}

// give takes a batch back that was written, and the line about those missing
// with it.
func (q *Queue) give(batch []byte, missing uint64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.told += missing
	if cap(batch) <= keptBuffer {
		q.spare = batch[:0]
	}
}

// fail counts lines that could not be written.
func (q *Queue) fail(lines int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.dropped += uint64(lines)
	q.end()
}

func (q *Queue) end() {
	close(q.done)
	q.done = nil
}

// tell writes the line about lines that are missing.
func (q *Queue) tell(missing uint64) error {
	line, err := q.enc.EncodeEntry(zapcore.Entry{
		Level: zapcore.WarnLevel, Time: time.Now(),
		Message: "log lines are missing here: nobody took them in time",
	}, []zapcore.Field{zap.Uint64("lines", missing)})
	if err != nil {
		return err
	}
	defer line.Free()
	_, err = q.out.Write(line.Bytes())
	return err
}
