// What the scripts of several widgets share: elements, axis ticks and numbers. Put before them.

function svgNode(tag, attributes, parent) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return parent ? parent.appendChild(node) : node;
}

function htmlNode(tag, className, parent, text = "") {
  const node = parent.appendChild(document.createElement(tag));
  node.className = className;
  node.textContent = text;
  return node;
}

function niceTicks(low, high, count) {
  const rough = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= rough * 0.999);
  const ticks = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-9; tick += step) ticks.push(tick);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function number(value, digits) {
  const rounded = Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value;
  const large = Math.abs(rounded) >= 1e5;
  return (large ? rounded.toExponential(1) : rounded.toFixed(digits)).replace("-", "−");
}
