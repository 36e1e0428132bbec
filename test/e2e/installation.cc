// `make install` puts files into their places and `make uninstall` removes exactly these; the unit that it installs is one
// that systemd accepts.
#include <doctest/doctest.h>

#include <filesystem>

#include "harness/binary.h"

namespace stampede::e2e {
namespace {

namespace fs = std::filesystem;

Finished install(const std::string& action, const std::string& destination,
                 const std::string& prefix, const std::string& binary = stampede_path()) {
  return run({"env", "DESTDIR=" + destination, "PREFIX=" + prefix, source_path("scripts/install"),
              action, binary});
}

TEST_SUITE("e2e/installation") {
  TEST_CASE("what was installed runs from its place and is removed without a trace") {
    const Scratch scratch;
    const std::string bin = scratch.path("usr/bin"), mine = scratch.path("usr/share/stampede/mine");
    const Finished installed = install("install", scratch.path(), "/usr");
    REQUIRE_MESSAGE(installed.exit_code == 0, installed.err);
    CHECK(run({bin + "/stampede", "version"}).exit_code == 0);
    CHECK(read_file(scratch.path("usr/lib/systemd/system/stampede.service"))
              .find("ExecStart=/usr/bin/stampede serve") != std::string::npos);
    CHECK(run({scratch.path("usr/share/stampede/nginx-cluster"), "127.0.0.1:80", "127.0.0.1:8080"})
              .exit_code == 0);
    CHECK(fs::exists(scratch.path("usr/share/stampede/monitoring/alerts.yml")));
    CHECK(fs::exists(scratch.path("usr/share/doc/stampede/OPERATE.md")));
    write_file(mine, "");
    // A tree that was built anew, or not at all, tells nothing of what was installed.
    const std::string none = scratch.path("usr/none");
    REQUIRE(install("uninstall", scratch.path(), "/usr", none).exit_code == 0);
    CHECK(files_below(scratch.path(), "") == std::vector<std::string>{mine});
    CHECK(install("uninstall", scratch.path(), "/usr").exit_code == 1);
    CHECK(install("mend", scratch.path(), "/usr").exit_code == 2);
  }

  TEST_CASE("what an earlier version installed is removed with the rest") {
    const Scratch scratch;
    const std::string share = scratch.path("usr/share"), list = share + "/stampede/installed";
    REQUIRE(install("install", scratch.path(), "/usr").exit_code == 0);
    write_file(share + "/man/man1/stampede-earlier.1", "");
    write_file(list, read_file(list) + "share/man/man1/stampede-earlier.1\n");
    REQUIRE(install("install", scratch.path(), "/usr").exit_code == 0);
    REQUIRE(install("uninstall", scratch.path(), "/usr").exit_code == 0);
    CHECK(files_below(scratch.path(), "").empty());
  }

  TEST_CASE("systemd accepts the units") {
    if (!is_installed("systemd-analyze")) {
      MESSAGE("no systemd-analyze: skipped");
      return;
    }
    const Scratch scratch;
    REQUIRE(install("install", "", scratch.path()).exit_code == 0);
    const std::string units = scratch.path("lib/systemd/system");
    const Finished verified =
        run({"systemd-analyze", "verify", "--man=no", units + "/stampede.service"});
    CAPTURE(verified.err);
    CHECK(verified.exit_code == 0);
    CHECK(verified.err.find("stampede") == std::string::npos);
  }
}

}  // namespace
}  // namespace stampede::e2e
