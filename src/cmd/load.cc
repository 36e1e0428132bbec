// stampede load: a crowd of users against a running server, and afterwards the proof that every
// promise was kept.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/hex.h"
#include "base/words.h"
#include "cmd/fail.h"
#include "cmd/load_flags.h"
#include "cmd/output_file.h"
#include "load/hdr_log.h"
#include "load/number_text.h"
#include "load/operator_client.h"
#include "load/progress.h"
#include "load/proof.h"
#include "load/report.h"
#include "load/run.h"
#include "load/series.h"
#include "load/server_url.h"
#include "load/user_name.h"

namespace stampede::cmd {
namespace {

using load::OperatorClient;
using load::Plan;
using load::Progress;

Status raise_descriptor_limit(uint32_t connections) {
  rlimit limit;
  getrlimit(RLIMIT_NOFILE, &limit);
  rlim_t needed = connections + 64;  // epoll, database, standard streams
  if (limit.rlim_cur >= needed) return Ok{};
  limit.rlim_cur = needed;
  limit.rlim_max = std::max(limit.rlim_max, needed);
  if (setrlimit(RLIMIT_NOFILE, &limit) == 0) return Ok{};
  return Error{load::format("--connections %u needs %llu open files: raise the limit (ulimit -n)",
                            connections, static_cast<unsigned long long>(needed))};
}

volatile std::sig_atomic_t g_interrupts = 0;

void count_interrupts() {
  struct sigaction action = {};
  action.sa_handler = [](int) {
    if (g_interrupts > 0) _exit(kExitFailure);  // the second Ctrl-C does not wait for answers
    g_interrupts = 1;
  };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

// The figures of each second, to where they are wanted.
class Watch {
 public:
  Watch(const Plan& plan, load::Run& run, Clock& clock, Progress& progress)
      : plan_(plan), run_(run), clock_(clock), progress_(progress), series_(run) {}

  // A file that is there from now on.
  Status open_files(const LoadFlags& flags) {
    if (Status opened = csv_.open(flags.series); !opened) return opened;
    csv_.write(load::csv_heading());
    return hdr_.open(flags.hdr);
  }

  // Until the run has ended.
  void follow() {
    while (!run_.wait(std::chrono::milliseconds(100))) {
      if (g_interrupts > 0) run_.stop();
      const int64_t now_ns = clock_.now().boot_ns;
      if (!has_begun(now_ns))
        show_wait(now_ns);
      else if (now_ns - run_.begin_ns() - series_.end_ns() >= kSecond)
        close_second(now_ns - run_.begin_ns());
    }
    const int64_t now_ns = clock_.now().boot_ns;
    if (has_begun(now_ns)) close_second(now_ns - run_.begin_ns());
  }

  // Adds each kind of answer behind the seconds: these are complete only when the run has ended.
  Status close_files(const load::Tally& tally) {
    for (const load::NamedAnswers::Entry* entry : tally.answers.by_count())
      if (entry->latency_ns != nullptr)
        hdr_.write(load::hdr_line(entry->name, 0, static_cast<double>(series_.end_ns()) / 1e9,
                                  *entry->latency_ns));
    if (Status closed = csv_.close(); !closed) return closed;
    return hdr_.close();
  }

  std::span<const load::Second> seconds() const { return series_.seconds(); }

 private:
  // A run that is stopped before its first moment has no seconds.
  bool has_begun(int64_t now_ns) const { return run_.begin_ns() != 0 && now_ns > run_.begin_ns(); }

  void show_wait(int64_t now_ns) {
    if (now_ns - wait_shown_ns_ < kSecond) return;
    wait_shown_ns_ = now_ns;
    if (run_.begin_ns() == 0)
      progress_.show(grouped(run_.connections_open()) + " of " +
                     counted(plan_.connections, "connection") + " are open");
    else
      progress_.show("begins in " +
                     seconds_text(static_cast<double>(run_.begin_ns() - now_ns) / 1e9));
  }

  void close_second(int64_t since_begin_ns) {
    const load::Second& second = series_.close_second(since_begin_ns);
    progress_.show(load::progress_line(plan_, series_));
    csv_.write(load::csv_line(second));
    if (series_.seconds().size() == 1)
      hdr_.write(load::hdr_heading(clock_.now().wall_ns - since_begin_ns));
    hdr_.write(load::hdr_line("", second.end_s - second.length_s, second.length_s,
                              series_.second_latency_ns()));
  }

  const Plan& plan_;
  load::Run& run_;
  Clock& clock_;
  Progress& progress_;
  load::Series series_;
  int64_t wait_shown_ns_ = clock_.now().boot_ns;
  OutputFile csv_{"--series"}, hdr_{"--hdr"};
};

constexpr Fail fail("load");

Status write_json_file(const load::Report& report, const std::string& path) {
  OutputFile file("--json");
  if (Status opened = file.open(path); !opened) return opened;
  write_json(report, file.get());
  return file.close();
}

// For proofs over several servers, whose promises cannot be read from one listener.
Status write_acknowledged(const load::Run& run, const Plan& plan, const std::string& path) {
  OutputFile file("--acknowledged");
  if (Status opened = file.open(path); !opened) return opened;
  constexpr const char* kStates[] = {"reserved", "paid", "cancelled"};  // as load::OrderEnd
  const load::UserNames names(plan);
  for (uint64_t user = 0; user < plan.users; ++user)
    if (run.end_of(user) == load::UserEnd::sold)
      std::fprintf(file.get(), "%s\t%s\t%s\n",
                   std::string(Hex64Text(run.order_of(user).value).view()).c_str(),
                   std::string(names.name_of(user).view()).c_str(),
                   kStates[static_cast<size_t>(run.order_end_of(user))]);
  return file.close();
}

// What became of a run beside its figures. A file that could not be written hides no broken promise.
struct Outcome {
  Status run = Ok{};      // and its verification
  Status written = Ok{};  // the files: the first that failed

  void note_written(Status status) {
    if (written) written = std::move(status);
  }
};

// Prints the figures even when something went wrong on the way: figures of an aborted run are still
// figures.
int conclude(const load::Report& report, const LoadFlags& flags, Outcome outcome) {
  if (!outcome.run && report.tally.live.sent == 0) return fail(outcome.run.error());
  print_table(report, stdout);
  if (!flags.json.empty()) outcome.note_written(write_json_file(report, flags.json));
  if (!outcome.run) return fail(outcome.run.error());
  if (report.is_broken()) return fail("a promise was broken: see the lines with ✗");
  if (!outcome.written) return fail(outcome.written.error());
  if (report.verified && !report.is_proven())
    return fail("nothing was sold, so nothing is verified");
  if (!report.is_as_expected())
    return fail("an expectation was not met: see the lines with ✗", kExitMissed);
  return kExitOk;
}

// Holds the run against what was expected of it, and its answers against the database. A part of a run shows neither.
Status judge_run(const load::Run& run, const LoadFlags& flags, load::Proof& proof,
                 load::Report& report) {
  const bool is_whole = g_interrupts == 0;
  for (const load::Expectation& expectation : flags.expectations)
    if (is_whole) report.expected.push_back(judge(expectation, report));
  if (!is_whole && flags.verifies) return Error{"interrupted: nothing was verified"};
  if (!is_whole && !flags.expectations.empty())
    return Error{"interrupted: no expectation was judged"};
  if (!flags.verifies) return Ok{};
  auto verified = proof.gather(run, [] { return g_interrupts > 0; });
  if (!verified) return verified.error();
  report.verified = std::move(*verified);
  return Ok{};
}

int execute(const LoadFlags& flags, const OperatorClient& client) {
  SystemClock clock;
  Progress progress(flags.shows_progress);
  load::Proof proof(flags.plan, client, flags.db, clock, progress);
  if (flags.verifies)
    if (Status status = proof.prepare(); !status) return fail(status.error());
  load::Run run(flags.plan, clock);
  Watch watch(flags.plan, run, clock, progress);
  if (Status opened = watch.open_files(flags); !opened) return fail(opened.error());
  run.begin();
  watch.follow();
  Outcome outcome{.run = run.finish()};
  outcome.note_written(watch.close_files(run.tally()));
  if (!flags.acknowledged.empty())
    outcome.note_written(write_acknowledged(run, flags.plan, flags.acknowledged));
  load::Report report{
      .plan = flags.plan, .tally = run.tally(), .users = run.users(), .unsent = run.unsent()};
  report.seconds_of_run = watch.seconds();
  if (outcome.run) outcome.run = judge_run(run, flags, proof, report);
  progress.clear();
  return conclude(report, flags, outcome);
}

int run(LoadFlags& flags) {
  if (Status status = complete(flags); !status) return usage_error("load", status.error().message);
  Result<load::ServerUrl> admin = load::resolve_url(flags.admin);
  if (!admin) return usage_error("load", "--admin: " + admin.error().message);
  if (Status status = raise_descriptor_limit(flags.plan.connections); !status)
    return usage_error("load", status.error().message);
  count_interrupts();
  return execute(flags, OperatorClient(admin->address));
}

}  // namespace

Command load() {
  const auto flags = std::make_shared<LoadFlags>();
  Command command{
      .name = "stampede load",
      .summary = "a crowd of users against a running server, and the proof of the sale",
      .about =
          "A crowd of users against a running server. Orders are sent on schedule whatever the "
          "answers do, and latency counts from when they were due; --rate 0 sends the next when an "
          "answer is there. --verify holds the answers against the "
          "database and the stock.",
      .examples = {{"stampede load --users 50000 --verify",
                    "fifty thousand users of a server on this machine, and the proof"},
                   {"stampede load --rate 20000 --duration 60 --warmup 5 --expect 'p99<5ms'",
                    "does it answer 20,000 orders a second within 5 ms? exit 3 if it does not"}},
      .exits = {{kExitFailure,
                 "the server could not be reached, a promise was broken, or nothing was sold and "
                 "so nothing proven"},
                {kExitMissed, "an expectation was not met"}},
      .run = [flags] { return run(*flags); }};
  add_load_flags(command, *flags);
  return command;
}

}  // namespace stampede::cmd
