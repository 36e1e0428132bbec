// stampede: a flash-sale order server. What the binary can do stands in cmd/stampede.cc.
#include <sodium.h>

#include <cstdio>
#include <string_view>

#include "base/check.h"
#include "cmd/flags.h"
#include "cmd/process.h"

int main(int argc, char** argv) {
  using namespace stampede;
  cmd::fill_standard_descriptors();
  // A supervisor or a pipe reads each line when it is printed, as a terminal does.
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (sodium_init() < 0) fatal(kExitFailure, "libsodium could not be initialised");
  char version[] = "version";
  if (argc == 2 && std::string_view(argv[1]) == "--version") argv[1] = version;
  cmd::Command program = cmd::stampede();
  return cmd::execute(program, {argv + (argc > 0), argv + argc});
}
