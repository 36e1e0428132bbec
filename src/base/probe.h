// Probes: places in the binary to which perf, bpftrace or SystemTap attach while it runs (USDT, `readelf -n`). A probe that
// nobody attaches to is one nop; its arguments are values that lie in a register or in memory anyway, so that nothing is
// computed for it. OPERATE.md has the list, perf/trace the scripts that read them.
//
// In all of them a request is (shard, place, serial) of its ReplyTo, an order its id (0: none), a verdict or a kind its
// position in the enumeration (order.h).
#pragma once

#define SDT_USE_VARIADIC  // as many arguments as there are
#include <sys/sdt.h>

// PROBE(name, up to six integers): more are not read by bpftrace. The name and their order are the interface: scripts know them.
#define PROBE(...) STAP_PROBEV(stampede, __VA_ARGS__)
