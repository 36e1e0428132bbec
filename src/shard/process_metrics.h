// What the process costs, under the names that every Prometheus client uses (process_*), so that dashboards for any process
// show this one too.
#pragma once

#include <cstdint>

#include "shard/metrics_text.h"

namespace stampede::shard {

// What does not change while the process runs. Read once at the start: the sandbox does not let it be asked later.
struct ProcessConstants {
  double started_unix_s = 0;  // 0: unknown
  uint64_t fds_max = 0;
};
[[nodiscard]] ProcessConstants read_process_constants();

// Processor time of all threads.
[[nodiscard]] double cpu_seconds();
// Open descriptors; 0: this kernel does not tell.
[[nodiscard]] uint64_t open_fds();

void add_process_metrics(MetricsText& text, const ProcessConstants& constants);

}  // namespace stampede::shard
