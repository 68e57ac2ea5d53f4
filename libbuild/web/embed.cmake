# cmake -DOUTPUT=assets.cpp -DFILES="a.css;b.js" -P embed.cmake: the files' bytes as a C++ source (see src/assets.h).
set(content "#include \"assets.h\"\n\n#include <array>\n\nnamespace build::web {\n\nnamespace {\n\n")
set(table "")
set(number 0)
foreach(path ${FILES})
  get_filename_component(name ${path} NAME)
  file(SHA256 ${path} hash)
  string(SUBSTRING ${hash} 0 16 tag)
  file(SIZE ${path} size)
  file(READ ${path} bytes HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND content "constexpr char kBytes${number}[] = {${bytes}};\n")
  string(APPEND table "    {\"${name}\", \"${tag}\", {kBytes${number}, ${size}}},\n")
  math(EXPR number "${number} + 1")
endforeach()
string(APPEND content "\nconstexpr std::array<Asset, ${number}> kAssets{{\n${table}}};\n\n}  // namespace\n\n"
  "const Asset* find_asset(std::string_view name) {\n  for (const Asset& asset : kAssets)\n"
  "    if (asset.name == name) return &asset;\n  return nullptr;\n}\n\n}  // namespace build::web\n")
file(WRITE ${OUTPUT} "${content}")
