// The text of `--help`: 100 columns, the flags by subject, with bounds and defaults from the table.
#include <algorithm>

#include "cmd/flags.h"

namespace stampede::cmd {
namespace {

constexpr size_t kColumns = 100;
constexpr size_t kTextColumn = 30;  // where the words of a flag begin

// Characters, not bytes.
size_t width_of(std::string_view text) {
  size_t width = 0;
  for (const char c : text) width += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return width;
}

// Goes on in a line that is `used` columns long already; further lines begin at `indent`.
std::string wrapped(std::string_view text, size_t indent, size_t used) {
  std::string lines;
  size_t column = used;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const size_t width = width_of(word);
    if (column > indent && column + 1 + width > kColumns) {
      lines += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += width;
  }
  return lines + '\n';
}

std::string words_of(const Flag& flag) {
  std::string words = plain(flag.help);
  if (const std::string bounds = bounds_text(flag); !bounds.empty()) words += "; " + bounds;
  if (flag.is_repeatable()) words += "; may be repeated";
  const std::string value = default_text(flag);
  if (flag.is_required)
    words += " (required)";
  else if (!value.empty())
    words += " (default: " + value + ")";
  return words;
}

// The name and its value to the left, the words to the right of it or, when there is no room, below.
std::string row(const std::string& left, std::string_view words) {
  std::string line = "  " + left;
  if (const size_t width = width_of(line); width + 2 > kTextColumn)
    line += '\n' + std::string(kTextColumn, ' ');
  else
    line += std::string(kTextColumn - width, ' ');
  return line + wrapped(words, kTextColumn, kTextColumn);
}

std::string aligned(const std::string& text, size_t columns) {
  return std::string(columns - std::min(columns, text.size()), ' ') + text;
}

std::string usage_of(const Command& command) {
  std::string usage = "usage: " + command.name;
  if (!command.subcommands.empty()) return usage + " SUBCOMMAND [flags]\n";
  for (const Section& section : command.sections)
    for (const Flag& flag : section.flags)
      if (flag.is_positional())
        usage += flag.is_required ? ' ' + flag.name : " [" + flag.name + ']';
  return usage + " [flags]\n";
}

}  // namespace

std::string plain(std::string text) {
  for (size_t at = 0; (at = text.find("](", at)) != text.npos;) {
    const size_t open = text.rfind('[', at), close = text.find(')', at);
    if (open == text.npos || close == text.npos) break;
    text.erase(at, close + 1 - at).erase(open, 1);
  }
  return text;
}

std::string help_text(const Command& command) {
  std::string text = usage_of(command) + '\n';
  text += wrapped(command.about.empty() ? command.summary : command.about, 0, 0);
  if (!command.subcommands.empty()) text += "\nSubcommands\n";
  for (const Command& subcommand : command.subcommands)
    text += row(std::string(subcommand.last_name()), subcommand.summary);
  for (const Section& section : command.sections) {
    text += '\n' + (section.title.empty() ? "Flags" : section.title) + '\n';
    for (const Flag& flag : section.flags)
      text += row(flag.unit.empty() ? flag.name : flag.name + ' ' + flag.unit, words_of(flag));
  }
  if (command.sections.empty()) text += '\n';
  text += row("--help", "print this");
  if (!command.examples.empty()) text += "\nExamples\n";
  for (const Example& example : command.examples)
    text += "  " + wrapped("# " + example.what, 2, 2) + "  " + example.line + '\n';
  if (!command.exits.empty()) text += "\nExit codes\n";
  for (const ExitMeaning& exit : command.exits)
    text += "  " + aligned(std::to_string(exit.code), 3) + ' ' + wrapped(exit.means, 6, 6);
  return text;
}

}  // namespace stampede::cmd
