# find_package(xbuild): a target xbuild::NAME for each library, with what it stands on.
include(CMakeFindDependencyMacro)
find_dependency(Threads)
find_dependency(OpenSSL)
find_dependency(Boost 1.81 COMPONENTS program_options)
find_dependency(LibArchive)
find_dependency(SQLite3)
find_dependency(tomlplusplus)
include(${CMAKE_CURRENT_LIST_DIR}/xbuild-targets.cmake)
