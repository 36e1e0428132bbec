#include <algorithm>
#include <string>
#include <string_view>

#include "base/quoted.h"
#include "load/report.h"

namespace stampede::load {
namespace {

constexpr const char* kEndNames[kUserEndCount] = {"not_asked", "gave_up", "refused",
                                                  "sold_out",  "unknown", "sold"};

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
  void begin_list(std::string_view name) { key(name), std::fputc('[', out_), is_first_ = true; }
  void begin_entry() { separate(), std::fputc('{', out_), is_first_ = true; }
  void end_list() { std::fputc(']', out_), is_first_ = false; }

 private:
  void separate() {
    if (!is_first_) std::fputc(',', out_);
    is_first_ = false;
  }
  void key(std::string_view name) {
    separate();
    quote(name);
    std::fputc(':', out_);
  }
  void quote(std::string_view text) {
    std::string json;
    append_quoted(text, json);
    std::fputs(json.c_str(), out_);
  }

  std::FILE* out_;
  bool is_first_ = true;
};

void write_plan(const Plan& plan, JsonWriter& json) {
  json.begin("plan");
  json.text("server", net::text_of(plan.server));
  json.begin_list("wishes");
  for (const Wish& wish : plan.wishes) {
    json.begin_entry();
    json.text("item", wish.item);
    json.number("qty", uint64_t{wish.quantity});
    json.number("weight", wish.weight);
    json.end();
  }
  json.end_list();
  json.number("users", plan.users);
  json.number("first_user", plan.first_user);
  json.number("seed", plan.seed);
  json.number("copies", uint64_t{plan.copies});
  json.number("rate", plan.rate);
  json.number("burst", plan.burst);
  json.number("page_views", plan.page_views);
  json.number("stock_polls", plan.stock_polls);
  json.begin_list("ramps");
  for (const Ramp& ramp : plan.ramps) {
    json.begin_entry();
    json.number("rate", ramp.rate);
    json.number("seconds", static_cast<double>(ramp.ns) / 1e9);
    json.end();
  }
  json.end_list();
  json.number("duration_s", static_cast<double>(plan.duration_ns) / 1e9);
  json.number("warmup_s", static_cast<double>(plan.warmup_ns) / 1e9);
  json.number("connections", uint64_t{plan.connections});
  json.number("pipeline", uint64_t{plan.pipeline});
  json.number("threads", uint64_t{plan.threads});
  json.end();
}

void write_latency(std::string_view name, const Histogram& latency_ns, JsonWriter& json) {
  json.begin(name);
  json.number("count", latency_ns.count());
  json.number("mean", latency_ns.mean());
  for (const auto& percentile : kPercentiles)
    json.number(percentile.key, latency_ns.percentile(percentile.percent));
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
  write_latency("latency_ns", report.tally.latency_ns, json);
}

void write_counts(const Report& report, JsonWriter& json) {
  json.begin("answers");
  for (const NamedAnswers::Entry* entry : report.tally.answers.by_count())
    json.number(entry->name.view(), entry->count);
  json.end();
  json.begin("failures");
  for (size_t kind = 0; kind < kFailureNames.size(); ++kind)
    json.number(kFailureNames[kind], report.tally.failures[kind]);
  json.end();
  json.begin("users");
  for (size_t end = 0; end < kUserEndCount; ++end) json.number(kEndNames[end], report.users[end]);
  json.end();
}

void write_latencies(const Report& report, JsonWriter& json) {
  json.begin("latency_by_answer_ns");
  for (const NamedAnswers::Entry* entry : report.tally.answers.by_count())
    if (entry->latency_ns != nullptr) write_latency(entry->name.view(), *entry->latency_ns, json);
  json.end();
}

void write_generator(const Report& report, JsonWriter& json) {
  const OwnWork& own = report.tally.own;
  json.begin("generator");
  json.number("cpu_seconds", static_cast<double>(own.cpu_ns) / 1e9);
  json.number("busiest_thread", own.busiest);
  json.boolean("is_the_limit", report.is_limited_by_generator());
  json.number("queued", own.queued);
  write_latency("late_ns", own.late_ns, json);
  json.end();
}

// Without blanks, so that a key needs no quotes in a query.
std::string key_of(std::string name) {
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

void write_verified(const Report& report, JsonWriter& json) {
  const Report::Verified& verified = *report.verified;
  json.begin("verify");
  json.boolean("ok", report.is_proven());
  json.number("database_rows", verified.rows);
  json.number("oversold", verified.oversold);
  json.number("unsold", verified.unsold);
  json.begin("checks");
  for (const Check& check : verified.checks) {
    json.begin(key_of(check.name));
    json.boolean("ok", check.is_kept);
    json.text("numbers", check.numbers);
    json.end();
  }
  json.end();
  json.end();
}

void write_seconds(const Report& report, JsonWriter& json) {
  json.begin_list("seconds_of_run");
  for (const Second& second : report.seconds_of_run) {
    json.begin_entry();
    json.number("end_s", second.end_s);
    json.number("length_s", second.length_s);
    json.number("sent", second.sent);
    json.number("answered", second.answered);
    json.number("sold", second.sold);
    json.number("refused", second.refused);
    json.number("failures", second.failures);
    json.number("waiting", second.waiting);
    json.number("measured", second.measured);
    json.number("p50_ns", second.p50_ns);
    json.number("p99_ns", second.p99_ns);
    json.number("max_ns", second.max_ns);
    json.end();
  }
  json.end_list();
}

void write_expected(const Report& report, JsonWriter& json) {
  json.begin_list("expected");
  for (const Report::Expected& expected : report.expected) {
    json.begin_entry();
    json.text("expectation", expected.text);
    json.text("measured", expected.measured);
    json.boolean("ok", expected.is_met);
    json.end();
  }
  json.end_list();
}

}  // namespace

void write_json(const Report& report, std::FILE* out) {
  JsonWriter json(out);
  write_plan(report.plan, json);
  write_speed(report, json);
  write_counts(report, json);
  write_latencies(report, json);
  write_generator(report, json);
  if (report.verified) write_verified(report, json);
  write_seconds(report, json);
  if (!report.expected.empty()) write_expected(report, json);
  json.end();
  std::fputc('\n', out);
}

}  // namespace stampede::load
