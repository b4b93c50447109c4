// What htmx needs to know, and the menu that is always open where there is room for it.
document.addEventListener("htmx:configRequest", (event) => {
  const token = document.querySelector("input[name=csrf_token]");
  if (token) event.detail.headers["X-CSRFToken"] = token.value;
});
document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.xhr.status === 422) event.detail.shouldSwap = true; // faults are shown in place
});
document.addEventListener("htmx:afterSwap", (event) => {
  const heading = event.detail.target.querySelector("[data-focus]");
  if (heading) heading.focus({ preventScroll: heading.tagName === "INPUT" });
  showTheEnd(event.detail.target);
});
const menu = document.querySelector("details.menu");
if (menu) {
  const room = matchMedia("(min-width: 60rem)");
  const fit = () => { menu.open = room.matches; };
  room.addEventListener("change", fit);
  fit();
}
for (const day of document.querySelectorAll(".scroll .today")) {
  const view = day.closest(".scroll"); // on a phone the plan begins with today, not with its past
  view.scrollLeft += day.getBoundingClientRect().left - view.getBoundingClientRect().left - view.clientWidth / 2;
}
function showTheEnd(within) {
  for (const talk of within.querySelectorAll("[data-end]")) talk.scrollTop = talk.scrollHeight;
}
showTheEnd(document);
