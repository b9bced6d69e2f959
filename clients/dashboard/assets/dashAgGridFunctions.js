// What the grid asks of the page: its look, and which row is open.
(function () {
  "use strict";
  const grid = (window.dashAgGridFunctions = window.dashAgGridFunctions || {});

  grid.bookTheme = function (theme) {
    return theme.withParams({
      fontFamily: "inherit",
      fontSize: 13,
      backgroundColor: "transparent",
      foregroundColor: "var(--text)",
      headerBackgroundColor: "transparent",
      headerTextColor: "var(--dim)",
      headerFontWeight: 500,
      borderColor: "var(--line)",
      rowHoverColor: "var(--hover)",
      selectedRowBackgroundColor: "transparent",
      wrapperBorder: false,
      wrapperBorderRadius: 0,
      columnBorder: false,
      headerColumnResizeHandleColor: "transparent",
      cellHorizontalPadding: 10,
      accentColor: "var(--accent)",
    });
  };

  grid.isOpen = function (params) {
    return Boolean(params.data) && new URLSearchParams(location.search).get("example") === String(params.data.index);
  };
})();
