// The written forms of a table of flags.
#pragma once

#include <string>

#include "cmd/flags.h"

namespace stampede::cmd {

// A page for man(1), in section 1: the command with its subcommands.
[[nodiscard]] std::string man_page(const Command& command);

// Rows of OPERATE.md: flag, default, meaning.
[[nodiscard]] std::string markdown_table(const Command& command);

// For bash, zsh or fish: the script that completes a line that begins with the command.
[[nodiscard]] std::string bash_completion(const Command& root);
[[nodiscard]] std::string zsh_completion(const Command& root);
[[nodiscard]] std::string fish_completion(const Command& root);

}  // namespace stampede::cmd
