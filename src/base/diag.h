// Lines for the operator, on stderr: notice, warning, error. One line each: what happened, where, what to do.
// Never called on the path of an order. Under systemd each line carries its syslog priority.
#pragma once

namespace stampede::diag {

[[gnu::format(printf, 1, 2)]] void notice(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void warning(const char* format, ...);
[[gnu::format(printf, 1, 2)]] void error(const char* format, ...);

}  // namespace stampede::diag
