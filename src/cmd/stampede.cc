// The program: all subcommands, and those that explain the others.
#include <cstdio>
#include <memory>

#include "cmd/manual.h"
#include "cmd/nearest.h"

namespace stampede::cmd {
namespace {

struct Flags {
  std::string subcommand, shell;
  bool is_markdown = false;
};

int print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return kExitOk;
}

// The command itself, or one of it.
int print_of(const Flags& flags, const char* asked, std::string (*text_of)(const Command&)) {
  const Command root = stampede();
  if (flags.subcommand.empty()) return print(text_of(root));
  std::vector<std::string> names;
  for (const Command& command : root.subcommands) {
    if (command.last_name() == flags.subcommand) return print(text_of(command));
    names.emplace_back(command.last_name());
  }
  return usage_error(asked, "unknown subcommand '" + flags.subcommand + "'" +
                                did_you_mean(flags.subcommand, names));
}

int print_completion(const Flags& flags) {
  const Command root = stampede();
  if (flags.shell == "bash") return print(bash_completion(root));
  return print(flags.shell == "zsh" ? zsh_completion(root) : fish_completion(root));
}

Flag subcommand_argument(Flags& flags) {
  return {.name = "SUBCOMMAND",
          .unit = "",
          .target = &flags.subcommand,
          .help = "one of the program's",
          .absent = "the program itself"};
}

Command help() {
  const auto flags = std::make_shared<Flags>();
  Command command{.name = "stampede help", .summary = "print what --help prints", .run = [flags] {
                    return print_of(*flags, "help",
                                    flags->is_markdown ? markdown_table : help_text);
                  }};
  command.add("", {subcommand_argument(*flags),
                   {.name = "--markdown",
                    .target = &flags->is_markdown,
                    .help = "as the rows of a table, for the documents"}});
  return command;
}

Command man() {
  const auto flags = std::make_shared<Flags>();
  Command command{.name = "stampede man", .summary = "print a page for man(1)", .run = [flags] {
                    return print_of(*flags, "man", man_page);
                  }};
  command.add("", {subcommand_argument(*flags)});
  command.examples = {{"stampede man serve | man -l -", "read it at once"}};
  return command;
}

Command completion() {
  const auto flags = std::make_shared<Flags>();
  Command command{.name = "stampede completion",
                  .summary = "print what completes a line in a shell: bash, zsh or fish",
                  .run = [flags] { return print_completion(*flags); }};
  command.add("", {{.name = "SHELL",
                    .unit = "",
                    .target = &flags->shell,
                    .help = "bash, zsh or fish",
                    .choices = {"bash", "zsh", "fish"},
                    .is_required = true}});
  command.examples = {{"source <(stampede completion bash)", "in ~/.bashrc"}};
  return command;
}

}  // namespace

Command stampede() {
  return {.name = "stampede",
          .summary = "a flash-sale order server",
          .about =
              "A flash-sale order server. `stampede SUBCOMMAND --help` lists the flags. First "
              "steps: stampede serve --demo",
          .subcommands = {serve(), load(), log(), drain(), audit(), backup(), restore(), ledger(),
                          sign(), version(), help(), man(), completion()}};
}

}  // namespace stampede::cmd
