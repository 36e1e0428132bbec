#include "load/report.h"

#include <algorithm>

#include "load/number_text.h"

namespace stampede::load {
namespace {

constexpr struct {
  const char* name;
  double percent;
} kPercentiles[] = {{"p50", 50},     {"p90", 90},       {"p99", 99},
                    {"p99.9", 99.9}, {"p99.99", 99.99}, {"max", 100}};

constexpr const char* kEndNames[kUserEndCount] = {"not_asked", "gave_up", "refused",
                                                  "sold_out",  "unknown", "sold"};

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

const char* mark(bool is_kept) {
  return is_kept ? "✓ " : "✗ ";
}

std::string describe(const Plan& plan) {
  std::string pace = plan.rate > 0 ? grouped(static_cast<uint64_t>(plan.rate)) + " orders/s"
                                   : "as fast as it goes";
  std::string copies = plan.copies > 1 ? " x " + grouped(plan.copies) + " copies" : "";
  return format("%s users%s for %u x %s at %s, %s, %s connections x %u pipelined, seed %s",
                grouped(plan.users).c_str(), copies.c_str(), plan.quantity, plan.item.c_str(),
                net::text_of(plan.server).c_str(), pace.c_str(), grouped(plan.connections).c_str(),
                plan.pipeline, std::to_string(plan.seed).c_str());
}

void print_speed(const Report& report, Table& table) {
  const Tally& tally = report.tally;
  table.row("requests", tally.live.sent,
            format("answered %s", grouped(tally.live.answered).c_str()));
  table.row("throughput", static_cast<uint64_t>(report.throughput()),
            format("answers/s over %.2f s%s", report.seconds(),
                   report.plan.warmup_ns > 0 ? " after the warmup" : ""));
  for (const auto& [name, percent] : kPercentiles)
    table.row(std::string("latency ") + name, duration_text(tally.latency_ns.percentile(percent)),
              percent > 50           ? ""
              : report.plan.rate > 0 ? "from when the request was due"
                                     : "from the send");
  if (report.unsent > 0)
    table.row("not sent", report.unsent,
              "due, but every connection was full: the latencies leave their waiting out");
}

void print_answers(const Report& report, Table& table) {
  const Tally& tally = report.tally;
  table.heading("answers");
  double total = static_cast<double>(std::max<uint64_t>(1, tally.answers.total()));
  for (const NamedCounts::Entry& entry : tally.answers.by_count())
    table.row(std::string(entry.name.view()), entry.count,
              format("%.2f %%", 100 * static_cast<double>(entry.count) / total));
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

std::string verdict(const Check* check) {
  return check == nullptr ? "" : mark(check->is_kept) + check->numbers;
}

void print_users(const Report& report, Table& table) {
  table.heading("users");
  table.row("sold", report.sold(), verdict(find(report, "acknowledged")));
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
  table.row("database rows", report.verified->rows, verdict(find(report, "in the database")));
  table.row("", "", verdict(find(report, "unacknowledged")));
  table.row("oversold", report.verified->oversold, verdict(find(report, "oversold")));
  table.row("unsold", report.verified->unsold, verdict(find(report, "unsold")));
}

class JsonWriter {
 public:
  explicit JsonWriter(std::FILE* out) : out_(out) { std::fputc('{', out_); }
  void number(std::string_view name, double value) { key(name), std::fprintf(out_, "%.3f", value); }
  void number(std::string_view name, uint64_t value) {
    key(name), std::fprintf(out_, "%llu", static_cast<unsigned long long>(value));
  }
  void boolean(std::string_view name, bool value) {
    key(name), std::fputs(value ? "true" : "false", out_);
  }
  void text(std::string_view name, std::string_view value) { key(name), quote(value); }
  void begin(std::string_view name) { key(name), std::fputc('{', out_), is_first_ = true; }
  void end() { std::fputc('}', out_), is_first_ = false; }

 private:
  void key(std::string_view name) {
    if (!is_first_) std::fputc(',', out_);
    is_first_ = false;
    quote(name);
    std::fputc(':', out_);
  }
  void quote(std::string_view text) {
    std::fputc('"', out_);
    for (char c : text) {
      bool is_control = static_cast<unsigned char>(c) < 0x20;
      if (c == '"' || c == '\\') std::fputc('\\', out_);
      is_control ? std::fprintf(out_, "\\u%04x", static_cast<unsigned>(c)) : std::fputc(c, out_);
    }
    std::fputc('"', out_);
  }

  std::FILE* out_;
  bool is_first_ = true;
};

void write_plan(const Plan& plan, JsonWriter& json) {
  json.begin("plan");
  json.text("server", net::text_of(plan.server));
  json.text("item", plan.item);
  json.number("qty", uint64_t{plan.quantity});
  json.number("users", plan.users);
  json.number("seed", plan.seed);
  json.number("copies", uint64_t{plan.copies});
  json.number("rate", plan.rate);
  json.number("duration_s", static_cast<double>(plan.duration_ns) / 1e9);
  json.number("warmup_s", static_cast<double>(plan.warmup_ns) / 1e9);
  json.number("connections", uint64_t{plan.connections});
  json.number("pipeline", uint64_t{plan.pipeline});
  json.number("threads", uint64_t{plan.threads});
  json.end();
}

void write_speed(const Report& report, JsonWriter& json) {
  json.number("requests", report.tally.live.sent.load());
  json.number("answered", report.tally.live.answered.load());
  json.number("seconds", report.seconds());
  json.number("throughput", report.throughput());
  json.number("unsent", report.unsent);
  json.number("repeated", report.tally.repeated);
  json.number("resent", report.tally.resent);
  json.begin("latency_ns");
  json.number("count", report.tally.latency_ns.count());
  json.number("mean", report.tally.latency_ns.mean());
  for (const auto& [name, percent] : kPercentiles)
    json.number(name, report.tally.latency_ns.percentile(percent));
  json.end();
}

void write_counts(const Report& report, JsonWriter& json) {
  json.begin("answers");
  for (const NamedCounts::Entry& entry : report.tally.answers.by_count())
    json.number(entry.name.view(), entry.count);
  json.end();
  json.begin("failures");
  for (size_t kind = 0; kind < kFailureNames.size(); ++kind)
    json.number(kFailureNames[kind], report.tally.failures[kind]);
  json.end();
  json.begin("users");
  for (size_t end = 0; end < kUserEndCount; ++end) json.number(kEndNames[end], report.users[end]);
  json.end();
}

void write_verified(const Report::Verified& verified, bool is_broken, JsonWriter& json) {
  json.begin("verify");
  json.boolean("ok", !is_broken);
  json.number("database_rows", verified.rows);
  json.number("oversold", verified.oversold);
  json.number("unsold", verified.unsold);
  json.begin("checks");
  for (const Check& check : verified.checks) {
    json.begin(check.name);
    json.boolean("ok", check.is_kept);
    json.text("numbers", check.numbers);
    json.end();
  }
  json.end();
  json.end();
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

void print_table(const Report& report, std::FILE* out) {
  std::fprintf(out, "%s\n\n", describe(report.plan).c_str());
  Table table(out);
  print_speed(report, table);
  print_answers(report, table);
  print_users(report, table);
  if (report.verified) print_verified(report, table);
}

void write_json(const Report& report, std::FILE* out) {
  JsonWriter json(out);
  write_plan(report.plan, json);
  write_speed(report, json);
  write_counts(report, json);
  if (report.verified) write_verified(*report.verified, report.is_broken(), json);
  json.end();
  std::fputc('\n', out);
}

std::string progress_line(const Live& live, const Histogram& latency_ns, double seconds,
                          double rate) {
  return format(
      "%4.0f s  %s answered  %s/s  p50 %s  p99 %s  sold %s  refused %s  waiting %s  broken "
      "connections %s",
      seconds, grouped(live.answered).c_str(), grouped(static_cast<uint64_t>(rate)).c_str(),
      duration_text(latency_ns.percentile(50)).c_str(),
      duration_text(latency_ns.percentile(99)).c_str(), grouped(live.sold).c_str(),
      grouped(live.refused).c_str(), grouped(live.waiting).c_str(), grouped(live.failures).c_str());
}

}  // namespace stampede::load
