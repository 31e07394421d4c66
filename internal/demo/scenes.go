package demo

import "fmt"

// scenes are all of them, in the order in which they are played.
var scenes = []scene{
	{"good caller", "it has a token of its own, made for this app", "200", goodCaller},
	{"no token", "nothing says who is calling", "401", noToken},
	{"another audience", "a good token, but made for another service", "401", otherAudience},
	{"forged signature", "who a token is from has to be proven", "401", forged},
	{"an article's tokens", "anybody can read them; two never expire, one lives for a year", "401", fromArticle},
	{"expired copy", "one client keeps the token that it read, the other reads it each time", "200, then 401", keptCopy},
	{"API server's audience", "whoever gets such a token could use it against the cluster", "401", apiAudience},
	{"pod deleted", "its token would be good for an hour", fmt.Sprintf("401 within %v", recheck), podDeleted},
	{"signing key rotated", "published, used one cool-down later; the old one removed", "200 throughout; old key 401", keyRotated},
	{"API server down", "who was confirmed goes on, who was not has to wait", "known 200, new 503, and back", apiServerDown},
}
