// Command sallyport is an authenticating reverse proxy that runs beside an app:
// it proves who is calling, and only then lets the request reach the app.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"go.uber.org/zap"

	"sallyport/internal/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// Who asks a second time does not want to wait: then the signal ends us.
	context.AfterFunc(ctx, stop)
	// client-go logs through klog: where there is no log of ours, nowhere.
	telemetry.BridgeKlog(zap.NewNop())
	out := streams{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(run(ctx, commands, os.Args[1:], out))
}

// commands are in the order of the overview.
var commands = []command{serveCommand(runGate), doctorCommand, explainCommand, inspectCommand, demoCommand, drainCommand, logLevelCommand, echoCommand, versionCommand}
