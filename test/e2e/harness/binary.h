// The binary under test, and the names of what all kinds of tests share.
#pragma once

#include <chrono>
#include <string>

#include "../../servers/process.h"
#include "../../servers/scratch.h"

namespace stampede::e2e {

using servers::Arguments;
using servers::files_below;
using servers::Finished;
using servers::flip_bit;
using servers::has_failed;
using servers::is_installed;
using servers::is_tmpfs;
using servers::note_failure;
using servers::Process;
using servers::read_file;
using servers::run;
using servers::Scratch;
using servers::write_file;

// The binary under test: $STAMPEDE, or `stampede` beside this test binary.
std::string stampede_path();
// A file of the checkout: from build/MODE/e2e_tests up to the folder that holds it.
std::string source_path(const std::string& path);
// Runs it to its end: run_stampede({"sign", "keys"}).
Finished run_stampede(Arguments arguments,
                      std::chrono::milliseconds patience = std::chrono::seconds{60});

}  // namespace stampede::e2e
