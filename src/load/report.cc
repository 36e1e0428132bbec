#include "load/report.h"

#include <algorithm>

#include "base/words.h"
#include "load/number_text.h"
#include "load/pace.h"

namespace stampede::load {
namespace {

class Table {
 public:
  explicit Table(std::FILE* out) : out_(out) {}
  void row(const std::string& name, const std::string& value, const std::string& note) {
    std::fprintf(out_, "  %-16s %14s%s%s\n", name.c_str(), value.c_str(), note.empty() ? "" : "   ",
                 note.c_str());
  }
  void row(const std::string& name, uint64_t value, const std::string& note) {
    row(name, grouped(value), note);
  }
  void heading(const char* text) { std::fprintf(out_, "\n%s\n", text); }

 private:
  std::FILE* out_;
};

std::string pace_text(const Plan& plan) {
  if (plan.rate <= 0) return "as fast as it goes";
  std::string text = plan.burst > 0 ? grouped(plan.burst) + " at once, then " : "";
  text += grouped(static_cast<uint64_t>(plan.rate));
  for (const Ramp& ramp : plan.ramps)
    text += format(" to %s within %s", grouped(static_cast<uint64_t>(ramp.rate)).c_str(),
                   seconds_text(static_cast<double>(ramp.ns) / 1e9).c_str());
  return text + " orders/s";
}

std::string wishes_text(const Plan& plan) {
  double weights = 0;
  for (const Wish& wish : plan.wishes) weights += wish.weight;
  std::string text;
  for (const Wish& wish : plan.wishes) {
    text += format("%s%u x %s", text.empty() ? "" : ", ", wish.quantity, wish.item.c_str());
    if (plan.wishes.size() > 1) text += format(" (%.0f %%)", 100 * wish.weight / weights);
  }
  return text;
}

std::string describe(const Plan& plan) {
  std::string pace = pace_text(plan);
  std::string copies = plan.copies > 1 ? " x " + grouped(plan.copies) + " copies" : "";
  return format("%s%s for %s at %s, %s, %s x %u pipelined, seed %s",
                counted(plan.users, "user").c_str(), copies.c_str(), wishes_text(plan).c_str(),
                net::text_of(plan.server).c_str(), pace.c_str(),
                counted(plan.connections, "connection").c_str(), plan.pipeline,
                std::to_string(plan.seed).c_str());
}

void print_speed(const Report& report, Table& table) {
  const Tally& tally = report.tally;
  table.row("requests", tally.live.sent,
            format("answered %s", grouped(tally.live.answered).c_str()));
  table.row("throughput", static_cast<uint64_t>(report.throughput()),
            format("answers/s over %s%s",
                   duration_text(static_cast<uint64_t>(report.seconds() * 1e9)).c_str(),
                   report.plan.warmup_ns > 0 ? " after the warmup" : ""));
  for (const auto& [name, key, percent] : kPercentiles)
    table.row(std::string("latency ") + name, duration_text(tally.latency_ns.percentile(percent)),
              percent > 50           ? ""
              : report.plan.rate > 0 ? "from when the request was due"
                                     : "from the send");
  if (report.unsent > 0)
    table.row("not sent", report.unsent,
              "due, but every connection was full: the latencies leave their waiting out");
}

void print_generator(const Report& report, Table& table) {
  const OwnWork& own = report.tally.own;
  table.row("generator", duration_text(own.cpu_ns),
            format("of CPU time; %s worked for %.0f %% of the time%s",
                   report.plan.threads > 1 ? "the busiest thread" : "its thread", 100 * own.busiest,
                   report.is_limited_by_generator()
                       ? ": the generator is the limit, so give it more --threads or machines"
                       : ""));
  if (report.plan.rate <= 0) return;
  table.row("sent late p99", duration_text(own.late_ns.percentile(99)),
            format("at most %s; %s more had to wait for a connection with room",
                   duration_text(own.late_ns.max()).c_str(), grouped(own.queued).c_str()));
}

std::string latency_text(const NamedAnswers::Entry& entry) {
  if (entry.latency_ns == nullptr) return "";
  return format("   p50 %8s   p99 %8s   max %8s",
                duration_text(entry.latency_ns->percentile(50)).c_str(),
                duration_text(entry.latency_ns->percentile(99)).c_str(),
                duration_text(entry.latency_ns->max()).c_str());
}

void print_answers(const Report& report, Table& table) {
  const Tally& tally = report.tally;
  table.heading("answers");
  double total = static_cast<double>(std::max<uint64_t>(1, tally.answers.total()));
  for (const NamedAnswers::Entry* entry : tally.answers.by_count())
    table.row(
        std::string(entry->name.view()), entry->count,
        format("%6.2f %%", 100 * static_cast<double>(entry->count) / total) + latency_text(*entry));
  for (size_t kind = 0; kind < tally.failures.size(); ++kind)
    if (tally.failures[kind] > 0)
      table.row(kFailureNames[kind], tally.failures[kind], "connections");
  if (tally.repeated > 0) table.row("sent again", tally.repeated, "after a retryable answer");
  if (tally.resent > 0)
    table.row("sent again", tally.resent, "after a lost connection, under the same key");
}

const Check* find(const Report& report, std::string_view name) {
  if (!report.verified) return nullptr;
  for (const Check& check : report.verified->checks)
    if (check.name == name) return &check;
  return nullptr;
}

// A promise that was never put to the test is neither kept nor broken.
std::string verdict(const Report& report, std::string_view name) {
  const Check* check = find(report, name);
  if (check == nullptr) return "";
  const char* mark = !check->is_kept ? "✗ " : report.sold() > 0 ? "✓ " : "– ";
  return mark + check->numbers;
}

void print_users(const Report& report, Table& table) {
  table.heading("users");
  table.row("sold", report.sold(), verdict(report, "acknowledged"));
  table.row("refused", report.refused(),
            format("%s for lack of units", grouped(report.users_who(UserEnd::sold_out)).c_str()));
  table.row("failed", report.failed(),
            format("without a final answer: %s gave up, %s unknown",
                   grouped(report.users_who(UserEnd::gave_up)).c_str(),
                   grouped(report.users_who(UserEnd::unknown)).c_str()));
  if (uint64_t not_asked = report.users_who(UserEnd::not_asked))
    table.row("not asked", not_asked, "had no turn");
}

void print_verified(const Report& report, Table& table) {
  table.heading("promises");
  table.row("database rows", report.verified->rows, verdict(report, "in the database"));
  table.row("", "", verdict(report, "unacknowledged"));
  if (report.plan.pay + report.plan.cancel > 0) table.row("", "", verdict(report, "settled"));
  table.row("oversold", report.verified->oversold, verdict(report, "oversold"));
  table.row("unsold", report.verified->unsold, verdict(report, "unsold"));
}

void print_expected(const Report& report, Table& table) {
  table.heading("expected");
  for (const Report::Expected& expected : report.expected)
    table.row(expected.text, expected.measured, expected.is_met ? "✓" : "✗");
}

// How much of the run is behind it, and for how long it will go on if it goes on like this, but not
// shorter than its schedule.
std::string outlook(const Plan& plan, const Live& live, double seconds) {
  const double orders = static_cast<double>(plan.users) * plan.copies;
  const double planned = static_cast<double>(plan.duration_ns) / 1e9;
  const double part =
      std::min(1.0, planned > 0 ? seconds / planned : static_cast<double>(live.ended) / orders);
  double left = part > 0 ? seconds / part - seconds : 0;
  if (planned == 0 && plan.rate > 0)
    left = static_cast<double>(Pace(plan).due_ns(plan.users * plan.copies - 1)) / 1e9 - seconds;
  return format("%.0f %%, %s left", 100 * part, seconds_text(left).c_str());
}

}  // namespace

double Report::seconds() const {
  return static_cast<double>(std::max<int64_t>(0, tally.last_ns - tally.first_ns)) / 1e9;
}

double Report::throughput() const {
  double time = seconds();
  return time > 0 ? static_cast<double>(tally.latency_ns.count()) / time : 0;
}

bool Report::is_broken() const {
  return verified && !std::all_of(verified->checks.begin(), verified->checks.end(),
                                  [](const Check& c) { return c.is_kept; });
}

bool Report::is_as_expected() const {
  return std::all_of(expected.begin(), expected.end(), [](const Expected& e) { return e.is_met; });
}

void print_table(const Report& report, std::FILE* out) {
  std::fprintf(out, "%s\n\n", describe(report.plan).c_str());
  Table table(out);
  print_speed(report, table);
  print_generator(report, table);
  print_answers(report, table);
  print_users(report, table);
  if (report.verified) print_verified(report, table);
  if (!report.expected.empty()) print_expected(report, table);
}

std::string csv_heading() {
  return "second,length_s,sent,answered,sold,refused,failures,waiting,measured,p50_ms,p99_ms,max_"
         "ms\n";
}

std::string csv_line(const Second& second) {
  std::string line = format("%.3f,%.3f", second.end_s, second.length_s);
  for (uint64_t count : {second.sent, second.answered, second.sold, second.refused, second.failures,
                         second.waiting, second.measured})
    line += ',' + std::to_string(count);
  for (uint64_t ns : {second.p50_ns, second.p99_ns, second.max_ns})
    line += format(",%.3f", static_cast<double>(ns) / 1e6);
  return line + '\n';
}

std::string progress_line(const Plan& plan, const Series& series) {
  const Second& second = series.seconds().back();
  const Live& live = series.live();
  return format(
      "%6s  %s  %s answered  %s/s  p50 %s  p99 %s  sold %s  refused %s  waiting %s  broken "
      "connections %s",
      seconds_text(std::round(second.end_s)).c_str(), outlook(plan, live, second.end_s).c_str(),
      grouped(live.answered).c_str(), grouped(static_cast<uint64_t>(second.rate())).c_str(),
      duration_text(series.latency_ns().percentile(50)).c_str(),
      duration_text(series.latency_ns().percentile(99)).c_str(), grouped(live.sold).c_str(),
      grouped(live.refused).c_str(), grouped(live.waiting).c_str(), grouped(live.failures).c_str());
}

}  // namespace stampede::load
