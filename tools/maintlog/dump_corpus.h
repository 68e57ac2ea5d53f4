#pragma once

#include <maintner/corpus.h>

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

/// Questions whose answers are to be among what is printed.
struct CorpusQuestions {
  std::vector<std::string> commits;                             ///< hashes: are they known?
  std::vector<std::pair<std::string, std::string>> ancestries;  ///< a commit, and what may be an ancestor of it
};

/// A corpus as one JSON object, in the form of the tests' expected.json: texts that may be long as their size and
/// SHA-1.
void dump_corpus(const maintner::View& view, const CorpusQuestions& questions, std::ostream& out);
