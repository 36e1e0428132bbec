#include "shard/process_metrics.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

namespace stampede::shard {
namespace {

constexpr std::string_view kPrefix = "process_";

// Field 22 of /proc/self/stat, in ticks since the boot; behind the last bracket, for a program's name may hold spaces.
double read_start_ticks() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t bracket = line.rfind(')');
  if (bracket == std::string::npos) return 0;
  unsigned long long ticks = 0;
  const int read = std::sscanf(line.c_str() + bracket + 1,
                               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                               "%*d %*d %*d %llu",
                               &ticks);
  return read == 1 ? static_cast<double>(ticks) : 0;
}

// When the machine booted, in seconds since 1970.
double read_boot_unix_s() {
  std::ifstream file("/proc/stat");
  for (std::string word; file >> word;)
    if (double seconds = 0; word == "btime" && file >> seconds) return seconds;
  return 0;
}

double seconds_of(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

// Two numbers in pages: address space, and what of it has memory.
struct Pages {
  uint64_t all = 0, resident = 0;
};
Pages read_pages() {
  Pages pages;
  std::ifstream("/proc/self/statm") >> pages.all >> pages.resident;
  return pages;
}

void add(MetricsText& text, std::string_view name, std::string_view type, std::string_view help,
         auto value) {
  text.family(name, type, help, kPrefix);
  text.sample("", value);
}

}  // namespace

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime);
}

// Since Linux 6.2 the directory's size is the number of open descriptors; counting a hundred thousand entries would hold up
// the shard.
uint64_t open_fds() {
  struct stat directory {};
  return stat("/proc/self/fd", &directory) == 0 ? static_cast<uint64_t>(directory.st_size) : 0;
}

ProcessConstants read_process_constants() {
  ProcessConstants constants;
  const double start_ticks = read_start_ticks(), boot_unix_s = read_boot_unix_s();
  if (start_ticks > 0 && boot_unix_s > 0)
    constants.started_unix_s =
        boot_unix_s + start_ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) constants.fds_max = limit.rlim_cur;
  return constants;
}

void add_process_metrics(MetricsText& text, const ProcessConstants& constants) {
  add(text, "cpu_seconds_total", "counter", "Processor time of all threads.", cpu_seconds());
  const Pages pages = read_pages();
  const auto page_bytes = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  add(text, "virtual_memory_bytes", "gauge", "Address space; most of it is only reserved.",
      pages.all * page_bytes);
  add(text, "resident_memory_bytes", "gauge", "Physical memory.", pages.resident * page_bytes);
  if (const uint64_t open = open_fds(); open > 0)
    add(text, "open_fds", "gauge", "Open file descriptors.", open);
  add(text, "max_fds", "gauge", "Most file descriptors that may be open.", constants.fds_max);
  if (constants.started_unix_s > 0)
    add(text, "start_time_seconds", "gauge", "When the process began, since 1970.",
        constants.started_unix_s);
}

}  // namespace stampede::shard
