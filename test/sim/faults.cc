#include "faults.h"

#include <utility>

namespace stampede::sim {

FileKind kind_of(std::string_view path) {
  std::string_view name = path.substr(path.find_last_of('/') + 1);
  if (name.find(".torn-") != std::string_view::npos) return FileKind::torn;
  if (name.starts_with("snapshot-")) return FileKind::snapshot;
  if (name.starts_with("manifest")) return FileKind::manifest;
  if (name.ends_with(".tmp")) name.remove_suffix(4);
  if (name.ends_with(".log")) return FileKind::segment;
  return name == "lock" ? FileKind::lock : FileKind::other;
}

Outcome Faults::meet(Call call, FileKind kind) {
  if (is_paused_) return {};
  for (auto fault = waiting_.begin(); fault != waiting_.end(); ++fault) {
    const bool fits = fault->call == call && (!fault->kind || *fault->kind == kind);
    if (!fits) continue;
    if (fault->skip > 0) {
      --fault->skip;
      continue;
    }
    const Fault met = *fault;
    if (--fault->times == 0) waiting_.erase(fault);
    ++met_;
    // Last: time that passes may bring new faults.
    if (met.stall_ns > 0 && stall_) stall_(met.stall_ns);
    return {.error = met.error, .bytes = met.bytes};
  }
  return {};
}

}  // namespace stampede::sim
