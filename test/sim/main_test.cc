// The tests of the simulator's own parts: suite = `sim/file`, case = a sentence about behaviour.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>
#include <signal.h>
#include <sodium.h>

int main(int argc, char** argv) {
  signal(SIGPIPE, SIG_IGN);  // as the server does
  if (sodium_init() < 0) return 1;
  return doctest::Context(argc, argv).run();
}
