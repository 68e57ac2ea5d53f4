# cmark-gfm with its extensions, which in Debian 12 comes without a CMake package: target cmark-gfm::cmark-gfm.
find_path(XBUILD_CMARK_GFM_INCLUDE cmark-gfm-core-extensions.h)
find_library(XBUILD_CMARK_GFM_LIBRARY cmark-gfm)
find_library(XBUILD_CMARK_GFM_EXTENSIONS_LIBRARY cmark-gfm-extensions)
mark_as_advanced(XBUILD_CMARK_GFM_INCLUDE XBUILD_CMARK_GFM_LIBRARY XBUILD_CMARK_GFM_EXTENSIONS_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(XbuildCmarkGfm
  REQUIRED_VARS XBUILD_CMARK_GFM_LIBRARY XBUILD_CMARK_GFM_EXTENSIONS_LIBRARY XBUILD_CMARK_GFM_INCLUDE)
if(XbuildCmarkGfm_FOUND AND NOT TARGET cmark-gfm::cmark-gfm)
  add_library(cmark-gfm::cmark-gfm UNKNOWN IMPORTED GLOBAL)
  set_target_properties(cmark-gfm::cmark-gfm PROPERTIES IMPORTED_LOCATION ${XBUILD_CMARK_GFM_EXTENSIONS_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES ${XBUILD_CMARK_GFM_INCLUDE} INTERFACE_LINK_LIBRARIES ${XBUILD_CMARK_GFM_LIBRARY})
endif()
