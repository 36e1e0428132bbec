// The end-to-end tests: the real binary, real sockets, real files. One file per promise; the file's
// name is the promise.
//   STAMPEDE=path   the binary under test (default: beside this one)
//   SEED=n          repeats the chance of an earlier run
//   ROUNDS=n        repetitions of the tests with chance in them
//   KEEP=1          keeps the directories of failed tests
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <signal.h>
#include <sodium.h>
#include <unistd.h>

#include <cstdio>

#include "harness/binary.h"
#include "harness/random.h"

namespace {

// Remembers whether the running case has failed, so that its servers tell what they know and its
// files may stay.
struct FailureListener : doctest::IReporter {
  explicit FailureListener(const doctest::ContextOptions&) {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_start(const doctest::TestCaseData&) override {
    stampede::e2e::note_failure(false);
  }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {
    stampede::e2e::note_failure(true);
  }
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData& assertion) override {
    if (assertion.m_failed) stampede::e2e::note_failure(true);
  }
  void log_message(const doctest::MessageData& message) override {
    if ((message.m_severity & doctest::assertType::is_warn) == 0) stampede::e2e::note_failure(true);
  }
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
REGISTER_LISTENER("failures", 1, FailureListener);

}  // namespace

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);
  if (sodium_init() < 0) return 1;
  if (access(stampede::e2e::stampede_path().c_str(), X_OK) != 0) {
    std::fprintf(stderr, "no binary to test at %s\n", stampede::e2e::stampede_path().c_str());
    return 1;
  }
  std::printf("seed %llu\n", static_cast<unsigned long long>(stampede::e2e::seed()));
  return doctest::Context(argc, argv).run();
}
