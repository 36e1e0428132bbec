#include "cmd/manual.h"

namespace stampede::cmd {
namespace {

// A text of ours as roff: nothing in it is an instruction, and `code` is bold.
std::string roff(const std::string& text) {
  std::string out;
  bool is_code = false;
  for (const char c : plain(text)) {
    if (c == '`') {
      out += is_code ? "\\fR" : "\\fB";
      is_code = !is_code;
    } else if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else if ((c == '.' || c == '\'') && (out.empty() || out.back() == '\n')) {
      out += "\\&";
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string bold(const std::string& text) {
  return "\\fB" + roff(text) + "\\fR";
}

// `stampede-serve`
std::string page_name(const Command& command) {
  std::string name = command.name;
  for (char& c : name)
    if (c == ' ') c = '-';
  return name;
}

std::string meaning_of(const Flag& flag) {
  std::string words = flag.help;
  if (const std::string bounds = bounds_text(flag); !bounds.empty()) words += "; " + bounds;
  if (flag.is_repeatable()) words += "; may be repeated";
  if (!flag.more.empty()) words += ". " + flag.more;
  return words;
}

std::string man_flag(const Flag& flag) {
  std::string text = ".TP\n" + bold(flag.name);
  if (!flag.unit.empty()) text += " \\fI" + roff(flag.unit) + "\\fR";
  text += '\n' + roff(meaning_of(flag)) + ".\n";
  const std::string value = default_text(flag);
  if (flag.is_required)
    text += "Required.\n";
  else if (!value.empty())
    text += "Default: " + roff(value) + ".\n";
  return text;
}

std::string man_flags(const Command& command) {
  std::string text;
  for (const Section& section : command.sections) {
    if (!section.title.empty()) text += ".SS " + roff(section.title) + '\n';
    for (const Flag& flag : section.flags) text += man_flag(flag);
  }
  return text;
}

std::string man_subcommands(const Command& command) {
  std::string text = ".SH SUBCOMMANDS\n";
  for (const Command& subcommand : command.subcommands) {
    const bool has_page = command.name.find(' ') == std::string::npos;
    text += has_page ? ".TP\n" + bold(std::string(subcommand.last_name())) + '\n'
                     : ".SS " + roff(subcommand.name) + '\n';
    text += roff(subcommand.summary) + ".\n";
    if (!has_page) text += man_flags(subcommand);
  }
  return text;
}

std::string man_end(const Command& command) {
  std::string text;
  if (!command.exits.empty()) {
    text += ".SH EXIT STATUS\n";
    for (const ExitMeaning& exit : command.exits)
      text += ".TP\n" + bold(std::to_string(exit.code)) + '\n' + roff(exit.means) + ".\n";
  }
  if (!command.examples.empty()) text += ".SH EXAMPLES\n";
  for (const Example& example : command.examples)
    text += ".TP\n" + roff(example.what) + "\n.EX\n" + roff(example.line) + "\n.EE\n";
  return text;
}

}  // namespace

std::string man_page(const Command& command) {
  std::string text = ".TH " + page_name(command) + " 1 \"\" \"stampede " + version_text() + "\"\n";
  text += ".SH NAME\n" + roff(page_name(command)) + " \\- " + roff(command.summary) + '\n';
  text += ".SH SYNOPSIS\n" + bold(command.name) +
          (command.subcommands.empty() ? "" : " \\fISUBCOMMAND\\fR") + " [flags]\n";
  text += ".SH DESCRIPTION\n" + roff(command.about.empty() ? command.summary : command.about) +
          "\n.PP\nFlags are " + bold("--name value") + " or " + bold("--name=value") + ".\n";
  if (!command.sections.empty()) text += ".SH OPTIONS\n" + man_flags(command);
  if (!command.subcommands.empty()) text += man_subcommands(command);
  return text + man_end(command);
}

std::string markdown_table(const Command& command) {
  std::string text = "| flag | default | meaning |\n|---|---|---|\n";
  for (const Section& section : command.sections) {
    for (const Flag& flag : section.flags) {
      std::string name = flag.unit.empty() ? flag.name : flag.name + ' ' + flag.unit;
      for (size_t at = 0; (at = name.find('|', at)) != name.npos; at += 4)
        name.replace(at, 1, "`, `");  // a bar ends a cell
      std::string value = default_text(flag);
      if (value.empty() && flag.takes_value()) value = "–";
      text += "| `" + name + "` | " + value + (value.empty() ? "| " : " | ") + meaning_of(flag) +
              " |\n";
    }
  }
  return text;
}

}  // namespace stampede::cmd
