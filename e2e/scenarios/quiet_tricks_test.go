package scenarios

// A trick is a request as it is on the wire, with a good token in it, and the
// status of the answer: 0 where there is none.
type trick struct {
	text   string
	status int
}

const (
	line = "GET / HTTP/1.1\r\n"
	ours = "Host: gate\r\nConnection: close\r\n"
	rest = ours + "\r\n"
)

// tricks are the places where a token does not belong, and the ways in which its
// header can be wrong.
var tricks = map[string]trick{
	"as it should be":       {line + "Authorization: Bearer {token}\r\n" + rest, 200},
	"lower case":            {line + "authorization: bearer {token}\r\n" + rest, 200},
	"twice":                 {line + "Authorization: Bearer {token}\r\nAuthorization: Bearer {token}\r\n" + rest, 400},
	"two in one":            {line + "Authorization: Bearer {token} {token}\r\n" + rest, 400},
	"list":                  {line + "Authorization: Bearer {token}, Bearer {token}\r\n" + rest, 400},
	"scheme twice":          {line + "Authorization: Bearer Bearer {token}\r\n" + rest, 400},
	"quoted":                {line + "Authorization: Bearer \"{token}\"\r\n" + rest, 400},
	"tab":                   {line + "Authorization: Bearer\t{token}\r\n" + rest, 401},
	"no scheme":             {line + "Authorization: {token}\r\n" + rest, 401},
	"basic":                 {line + "Authorization: Basic {base64}\r\n" + rest, 401},
	"other scheme":          {line + "Authorization: Token {token}\r\n" + rest, 401},
	"folded":                {line + "Authorization: Bearer\r\n {token}\r\n" + rest, 200},
	"broken line":           {line + "Authorization: Bearer abc\n{token}\r\n" + rest, 400},
	"carriage return":       {line + "Authorization: Bearer abc\r{token}\r\n" + rest, 400},
	"zero byte":             {line + "Authorization: Bearer {token}\x00\r\n" + rest, 400},
	"no colon":              {line + "Authorization Bearer {token}\r\n" + rest, 400},
	"space before colon":    {line + "Authorization : Bearer {token}\r\n" + rest, 400},
	"header name":           {line + "{token}: x\r\n" + rest, 401},
	"other header":          {line + "X-Api-Key: {token}\r\n" + rest, 401},
	"request id":            {line + "X-Request-Id: {token}\r\nTraceparent: {token}\r\nX-Correlation-Id: {token}\r\n" + rest, 401},
	"proxy authorization":   {line + "Proxy-Authorization: Bearer {token}\r\n" + rest, 401},
	"cookie":                {line + "Cookie: token={token}\r\n" + rest, 401},
	"forwarded":             {line + "X-Forwarded-For: {token}\r\nForwarded: for={token}\r\nX-Real-Ip: {token}\r\n" + rest, 401},
	"identity":              {line + "X-Remote-User: {token}\r\nX-Remote-Group: {token}\r\n" + rest, 401},
	"user agent":            {line + "User-Agent: {token}\r\nReferer: http://x/{token}\r\nAccept: {token}\r\n" + rest, 401},
	"connection":            {line + "Connection: {token}\r\nTe: {token}\r\n" + rest, 401},
	"upgrade":               {line + "Connection: upgrade\r\nUpgrade: {token}\r\nHost: gate\r\n\r\n", 401},
	"websocket":             {line + "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: base64url.bearer.authorization.k8s.io.{base64}\r\nHost: gate\r\n\r\n", 401},
	"expect":                {line + "Expect: {token}\r\n" + rest, 417},
	"host":                  {line + "Host: {token}\r\nConnection: close\r\n\r\n", 401},
	"two hosts":             {line + "Host: {token}\r\n" + rest, 400},
	"length":                {line + "Content-Length: {token}\r\n" + rest, 400},
	"encoding":              {line + "Transfer-Encoding: {token}\r\n" + rest, 501},
	"path":                  {"GET /{token} HTTP/1.1\r\n" + rest, 401},
	"path in a path":        {"GET /a/{token}/b HTTP/1.1\r\n" + rest, 401},
	"odd path":              {"GET /a/../{token} HTTP/1.1\r\n" + rest, 401},
	"odd path, good token":  {"GET /a/../{token} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n" + rest, 400},
	"broken path":           {"GET /%zz{token} HTTP/1.1\r\n" + rest, 400},
	"query":                 {"GET /?access_token={token} HTTP/1.1\r\n" + rest, 401},
	"query, good token":     {"GET /?access_token={token} HTTP/1.1\r\nAuthorization: Bearer {token}\r\n" + rest, 200},
	"public path's query":   {"GET /healthz?{token} HTTP/1.1\r\n" + rest, 200},
	"user":                  {"GET http://x:{token}@gate/ HTTP/1.1\r\n" + rest, 401},
	"host of the target":    {"GET http://{token}/ HTTP/1.1\r\n" + rest, 401},
	"scheme of the target":  {"GET {token}://gate/ HTTP/1.1\r\n" + rest, 400},
	"opaque":                {"GET {token} HTTP/1.1\r\n" + rest, 400},
	"connect":               {"CONNECT {token}:80 HTTP/1.1\r\n" + rest, 401},
	"method":                {"{token} / HTTP/1.1\r\n" + rest, 401},
	"method, good token":    {"{token} / HTTP/1.1\r\nAuthorization: Bearer {token}\r\n" + rest, 200},
	"version":               {"GET / {token}\r\n" + rest, 400},
	"alone":                 {"{token}\r\n\r\n", 400},
	"chunk":                 {"POST / HTTP/1.1\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n" + rest + "{token}\r\nx\r\n0\r\n\r\n", 400},
	"chunk extension":       {"POST / HTTP/1.1\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n" + rest + "1;{token}\r\nx\r\n0\r\n\r\n", 200},
	"trailer":               {"POST / HTTP/1.1\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n" + rest + "1\r\nx\r\n0\r\nAuthorization: {token}\r\n\r\n", 200},
	"trailer's name":        {"POST / HTTP/1.1\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\nTrailer: {token}\r\n" + rest + "0\r\n{token}: x\r\n\r\n", 200},
	"body":                  {"POST / HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 13\r\n" + rest + "access_token={token}", 401},
	"HTTP/2, then a token":  {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{token}", 0},
	"HTTP/2 begun, a token": {"PRI * HTTP/2.0\r\n\r\n{token}", 401},
	"HTTP/0.9":              {"GET /{token}\r\n", 400},
}
