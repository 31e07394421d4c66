package load

import (
	"context"
	"time"
)

// again is the pause before somebody who was told to come again does.
const again = 100 * time.Millisecond

// Enter calls with a new token, on a new connection, until the answer is 200,
// and returns how long that took. The error is that of ctx.
func Enter(ctx context.Context, from, to, path, token string) (time.Duration, error) {
	asks := request(path, token)
	l := line{from: from, to: to}
	defer l.close()
	for start := time.Now(); ; {
		if status, err := l.do(ctx, asks); err == nil && status == 200 {
			return time.Since(start), nil
		}
		if !sleep(ctx, again) {
			return 0, ctx.Err()
		}
	}
}
