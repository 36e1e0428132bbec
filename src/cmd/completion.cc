// Completions for shells: subcommands, flags, the words of a choice; files and directories where a value is one.
#include "cmd/manual.h"

namespace stampede::cmd {
namespace {

// Of every command that takes flags itself, the root apart.
template <typename Visit>
void for_each_command(const Command& command, const Visit& visit) {
  for (const Command& subcommand : command.subcommands) {
    visit(subcommand);
    for_each_command(subcommand, visit);
  }
}

template <typename Visit>
void for_each_flag(const Command& command, const Visit& visit) {
  for (const Section& section : command.sections)
    for (const Flag& flag : section.flags) visit(flag);
}

// `log inspect`: without the program's name.
std::string path_of(const Command& command) {
  const size_t space = command.name.find(' ');
  return space == std::string::npos ? "" : command.name.substr(space + 1);
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// The words that may follow a command's name.
std::string words_after(const Command& command) {
  std::vector<std::string> words;
  for (const Command& subcommand : command.subcommands) words.emplace_back(subcommand.last_name());
  for_each_flag(command, [&](const Flag& flag) {
    if (!flag.is_positional())
      words.push_back(flag.name);
    else
      words.insert(words.end(), flag.choices.begin(), flag.choices.end());
  });
  words.emplace_back("--help");
  return join(words);
}

// The value of a flag: the words of a choice, `-f` for a file, `-d` for a directory; nothing else can be known.
std::string bash_values(const Flag& flag) {
  if (!flag.choices.empty()) return "-W '" + join(flag.choices) + '\'';
  if (flag.unit == "FILE") return "-f";
  return flag.unit == "DIR" ? "-d" : "";
}

// In single quotes of a shell.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : plain(text)) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + '\'';
}

// A word of a description in zsh's specifications, where brackets and colons divide.
std::string zsh_word(const std::string& text) {
  std::string out;
  for (const char c : plain(text)) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    if (c == '\'') out += "'\\'";
    out += c;
  }
  return out;
}

std::string zsh_flag(const Flag& flag) {
  std::string spec = flag.is_positional() ? "1" : (flag.is_repeatable() ? "*" : "") + flag.name;
  if (!flag.is_positional()) {
    if (flag.takes_value()) spec += '=';
    spec += '[' + zsh_word(flag.help) + ']';
  }
  if (flag.takes_value()) {
    spec += flag.alone.empty() ? ":" : "::";
    spec += zsh_word(flag.unit.empty() ? flag.name : flag.unit) + ':';
    if (!flag.choices.empty()) spec += '(' + join(flag.choices) + ')';
    if (flag.unit == "FILE") spec += "_files";
    if (flag.unit == "DIR") spec += "_files -/";
  }
  return '\'' + spec + '\'';
}

// A function for the command and those below it.
std::string zsh_function(const Command& command, const std::string& name) {
  std::string text;
  for (const Command& subcommand : command.subcommands)
    text += zsh_function(subcommand, name + '_' + std::string(subcommand.last_name()));
  text += name + "() {\n";
  if (command.subcommands.empty()) {
    text += "  _arguments '--help[print the flags]'";
    for_each_flag(command, [&](const Flag& flag) { text += " \\\n    " + zsh_flag(flag); });
    return text + "\n}\n";
  }
  text += "  local -a subcommands=(";
  for (const Command& subcommand : command.subcommands)
    text +=
        "\n    '" + std::string(subcommand.last_name()) + ':' + zsh_word(subcommand.summary) + '\'';
  text += ")\n  if (( CURRENT == 2 )); then\n    _describe subcommand subcommands\n  else\n";
  text += "    shift words\n    (( CURRENT-- ))\n";
  return text + "    (( $+functions[" + name + "_$words[1]] )) && " + name +
         "_$words[1]\n  fi\n}\n";
}

// True when all names of the path are in the line.
std::string fish_condition(const std::string& path) {
  std::string condition = "\"__fish_seen_subcommand_from ";
  for (const char c : path)
    condition += c == ' ' ? std::string("; and __fish_seen_subcommand_from ") : std::string(1, c);
  return condition + '"';
}

std::string fish_flag(const Flag& flag, const std::string& condition) {
  std::string line = "complete -c stampede -n " + condition;
  if (flag.is_positional()) return line + " -a '" + join(flag.choices) + "'\n";
  line += " -l " + flag.name.substr(2);
  if (!flag.choices.empty()) line += " -x -a '" + join(flag.choices) + '\'';
  if (flag.unit == "FILE") line += " -r -F";
  if (flag.unit == "DIR") line += " -x -a '(__fish_complete_directories)'";
  if (flag.takes_value() && flag.choices.empty() && flag.unit != "FILE" && flag.unit != "DIR")
    line += " -x";
  return line + " -d " + quoted(flag.help) + '\n';
}

}  // namespace

std::string bash_completion(const Command& root) {
  std::string after = "    '') words='" + words_after(root) + "' ;;\n", values, paths;
  for_each_command(root, [&](const Command& command) {
    const std::string path = path_of(command);
    paths += " | '" + path + '\'';
    after += "    '" + path + "') words='" + words_after(command) + "' ;;\n";
    for_each_flag(command, [&](const Flag& flag) {
      if (flag.is_positional() || !flag.takes_value()) return;
      const std::string unless_a_flag = flag.alone.empty() ? "" : "[[ $word == -* ]] || ";
      values += "    '" + path + ' ' + flag.name + "') " + unless_a_flag + "how=(" +
                bash_values(flag) + ") ;;\n";
    });
  });
  return "# bash completion of stampede\n"
         "_stampede() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path= words= "
         "at "
         "how=(none)\n"
         "  [[ $word != = ]] || word=\n"
         "  [[ $before != = ]] || before=${COMP_WORDS[COMP_CWORD-2]}  # --name=value\n"
         "  for ((at = 1; at < COMP_CWORD; ++at)); do\n"
         "    case \"${path:+$path }${COMP_WORDS[at]}\" in\n"
         "      " +
         paths.substr(3) +
         ") path=${path:+$path }${COMP_WORDS[at]} ;;\n"
         "      *) break ;;\n"
         "    esac\n"
         "  done\n"
         "  case \"$path $before\" in\n" +
         values +
         "  esac\n"
         "  if [[ ${how[0]-} != none ]]; then\n"
         "    [[ ${#how[@]} == 0 ]] || mapfile -t COMPREPLY < <(compgen \"${how[@]}\" -- "
         "\"$word\")\n"
         "    [[ ${how[0]-} != -[fd] ]] || compopt -o filenames 2>/dev/null\n"
         "    return 0\n"
         "  fi\n"
         "  case $path in\n" +
         after +
         "  esac\n"
         "  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
         "}\n"
         "complete -F _stampede stampede\n";
}

std::string zsh_completion(const Command& root) {
  return "#compdef stampede\n" + zsh_function(root, "_stampede") + "_stampede \"$@\"\n";
}

std::string fish_completion(const Command& root) {
  std::string text = "# fish completion of stampede\ncomplete -c stampede -f\n";
  for (const Command& command : root.subcommands)
    text += "complete -c stampede -n __fish_use_subcommand -a " + std::string(command.last_name()) +
            " -d " + quoted(command.summary) + '\n';
  for_each_command(root, [&](const Command& command) {
    const std::string seen = fish_condition(path_of(command));
    for (const Command& subcommand : command.subcommands)
      text += "complete -c stampede -n " + seen + " -a " + std::string(subcommand.last_name()) +
              " -d " + quoted(subcommand.summary) + '\n';
    for_each_flag(command, [&](const Flag& flag) { text += fish_flag(flag, seen); });
  });
  return text;
}

}  // namespace stampede::cmd
