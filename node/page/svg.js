// Elements, in few words. Text is only ever set as text: what comes from the network cannot become markup.

const SVG = 'http://www.w3.org/2000/svg';

function made(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

export const svg = (name, attributes = {}, ...children) => made(document.createElementNS(SVG, name), attributes, children);
export const html = (name, attributes = {}, ...children) => made(document.createElement(name), attributes, children);
